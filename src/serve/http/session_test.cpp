#include "serve/http/session.h"

#include "serve/http/test_server.h"

namespace drystone {
namespace {

constexpr const char* kChat = "/v1/chat/completions";

TEST(Session, KeepsTheConnectionForTheNextRequest) {
  TestServer server;
  TestClient client = server.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask("GET", "/health").status, 200);
  EXPECT_EQ(client.ask("POST", kChat, chat_body("Hi", R"("stream":true)")).status, 200);
  TestReply last = client.ask("GET", "/health", "", "Connection: close\r\n");
  EXPECT_EQ(last.headers["connection"], "close");
  EXPECT_EQ(client.read_to_end(), "");
}

// Requests sent ahead are answered in order, and their bytes are not taken for a client that
// leaves.
TEST(Session, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  TestClient client = server.connect();
  client.send("POST", kChat, chat_body("one"));
  client.send("GET", "/health");
  client.send("POST", kChat, chat_body("two"));
  EXPECT_EQ(client.read().json().at("choices").at(0).at("message").at("content"), "ok:one");
  EXPECT_EQ(client.read().body, R"({"status":"ok"})");
  EXPECT_EQ(client.read().json().at("choices").at(0).at("message").at("content"), "ok:two");
}

TEST(Session, AnswersHeadWithoutABodyAndOptionsWithTheMethods) {
  TestServer server;
  TestClient client = server.connect();
  TestReply head = client.ask("HEAD", "/health");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers["content-length"], "15");
  TestReply options =
      client.ask("OPTIONS", kChat);  // would read the HEAD's body here, had one come
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers["allow"], "POST, OPTIONS");
  EXPECT_FALSE(options.headers.contains("access-control-allow-origin"));
  EXPECT_EQ(client.ask("OPTIONS", "*").headers["allow"], "DELETE, GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(client.ask("OPTIONS", "/nothing").status, 404);
  EXPECT_EQ(client.ask("GET", "/health").status, 200);
}

TEST(Session, TellsTheClientToSendItsBody) {
  TestServer server;
  TestClient client = server.connect();
  const std::string body = chat_body("Hi");
  client.write("POST " + std::string(kChat) +
               " HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(client.read_head().status, 100);
  client.write(body);
  EXPECT_EQ(client.read().status, 200);
}

TEST(Session, ReadsAChunkedBody) {
  TestServer server;
  TestClient client = server.connect();
  const std::string body = chat_body("Hi");
  client.write("POST " + std::string(kChat) +
               " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char c : body) client.write(std::string("1\r\n") + c + "\r\n");
  client.write("0\r\n\r\n");
  EXPECT_EQ(client.read().json().at("choices").at(0).at("message").at("content"), "ok:Hi");
}

TEST(Session, EndsAStreamToAnOldClientByClosing) {
  TestServer server;
  TestClient client = server.connect();
  const std::string body = chat_body("Hi", R"("stream":true)");
  client.write("POST " + std::string(kChat) + " HTTP/1.0\r\nHost: localhost\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_FALSE(client.read_head().headers.contains("transfer-encoding"));
  EXPECT_TRUE(client.read_to_end().ends_with("data: [DONE]\n\n"));
}

TEST(Session, RefusesWhatIsTooLarge) {
  TestServer server(
      {.limits = {.header_bytes_max = 1024, .body_bytes_max = 1000, .bodies_bytes_max = 4000}});
  TestReply reply =
      server.connect().ask("GET", "/health", "", "X: " + std::string(2000, 'x') + "\r\n");
  EXPECT_EQ(reply.status, 431);
  reply = server.connect().ask("POST", kChat, std::string(1001, ' '));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(error_code_of(reply), "body_too_large");

  TestClient chunked = server.connect();
  chunked.write("POST " + std::string(kChat) +
                " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.write("800\r\n" + std::string(0x800, ' ') + "\r\n");
  EXPECT_EQ(chunked.read().status, 413);
}

// Proxies send the whole URL; its host counts in place of the header's.
TEST(Session, TakesTargetsInAbsoluteForm) {
  TestServer server;
  TestClient client = server.connect();
  EXPECT_EQ(client.ask("GET", "http://localhost/health").status, 200);
  EXPECT_EQ(client.ask("GET", "HTTP://127.0.0.1:8080/v1/models?x=1").status, 200);
  EXPECT_EQ(client.ask("GET", "http://localhost").status, 404);
  EXPECT_EQ(client.ask("GET", "http://evil.example/health").status, 403);
  EXPECT_EQ(server.connect().ask("GET", "http:///health").status, 400);
}

// A proxy that sees the end of a body elsewhere would give what follows it to another client.
TEST(Session, RefusesBodiesWhoseEndIsUnclear) {
  TestServer server;
  const std::pair<std::string, int> cases[] = {
      {"HTTP/1.1\r\nTransfer-Encoding: gzip", 501},
      {"HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", 501},
      {"HTTP/1.1\r\nTransfer-Encoding: identity", 501},
      {"HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 0", 400},
      {"HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: gzip", 400},
      {"HTTP/1.0\r\nTransfer-Encoding: chunked", 400},
      {"HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: gzip", 400},
  };
  for (const auto& [framing, status] : cases) {
    TestClient client = server.connect();
    client.write("POST " + std::string(kChat) + " " + framing +
                 "\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.read().status, status) << framing;
    EXPECT_EQ(client.read_to_end(), "") << framing;
  }
}

// Many bodies at once must not add up to more memory than is meant for them.
TEST(Session, RefusesBodiesThatAreTooMuchTogether) {
  TestServer server({.limits = {.body_bytes_max = 1000, .bodies_bytes_max = 1500}});
  const std::string head =
      "POST " + std::string(kChat) +
      " HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n";
  TestClient first = server.connect(), second = server.connect();
  first.write(head);
  ASSERT_EQ(first.read_head().status, 100);
  first.write(std::string(899, ' '));
  second.write(head);
  ASSERT_EQ(second.read_head().status, 100);
  second.write(std::string(899, ' '));
  EXPECT_EQ(second.read().status, 503);
  first.close();
  TestClient third = server.connect();
  EXPECT_EQ(third.ask("POST", kChat, chat_body("Hi")).status, 200);
}

// What is announced costs a client nothing, so it must not count.
TEST(Session, AnnouncedBodiesLockNobodyOut) {
  TestServer server({.limits = {.body_bytes_max = 1000, .bodies_bytes_max = 1500}});
  TestClient idle[] = {server.connect(), server.connect(), server.connect()};
  for (TestClient& client : idle) {
    client.write("POST " + std::string(kChat) +
                 " HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
                 "1000\r\n\r\n");
    EXPECT_EQ(client.read_head().status, 100);
  }
  EXPECT_EQ(server.connect().ask("POST", kChat, chat_body("Hi")).status, 200);
}

// The time that a stopping server has is meant for answers.
TEST(Session, StoppingDoesNotWaitForUploads) {
  TestServer server({.limits = {.stop_grace = std::chrono::seconds(30)}});
  TestClient client = server.connect();
  client.write("POST " + std::string(kChat) +
               " HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
               "100\r\n\r\n");
  ASSERT_EQ(client.read_head().status, 100);
  client.write("{");
  const auto start = std::chrono::steady_clock::now();
  server.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(client.read_to_end(), "");
}

// Connections are finite: a client that sends a header byte by byte for ever must lose its own.
TEST(Session, EndsRequestsThatDoNotArrive) {
  TestServer server({.limits = {.idle_max = std::chrono::milliseconds(50),
                                .header_max = std::chrono::milliseconds(50),
                                .body_max = std::chrono::milliseconds(50)}});
  TestClient header = server.connect();
  header.write("GET /health HT");
  TestReply reply = header.read();
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(reply.headers["connection"], "close");
  TestClient body = server.connect();
  body.write("POST " + std::string(kChat) +
             " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  EXPECT_EQ(body.read().status, 408);
  EXPECT_EQ(server.connect().read_to_end(), "") << "an idle connection is closed without a word";
}

TEST(Session, RefusesMalformedHttp) {
  TestServer server;
  const std::string requests[] = {
      "\x16\x03\x01\x02",  // TLS
      "GET /health\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
      "GET health HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: "
      "6\r\n\r\n",
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: "
      "chunked\r\n\r\n",
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\nzz\r\n",
  };
  for (const std::string& request : requests) {
    TestClient client = server.connect();
    client.write(request);
    const TestReply reply = client.read();
    EXPECT_EQ(reply.status, 400) << request << "\n" << reply.body;
    EXPECT_EQ(client.read_to_end(), "") << request;
  }
  EXPECT_EQ(server.connect().ask("GET", "/health").status, 200);
}

// What is packed would be taken for broken JSON.
TEST(Session, RefusesPackedBodies) {
  TestServer server;
  TestClient client = server.connect();
  EXPECT_EQ(client.ask("POST", "/v1/completions", R"({"prompt":"a"})", "Content-Encoding: zstd\r\n")
                .status,
            415);
  EXPECT_EQ(
      server.connect()
          .ask("POST", "/v1/completions", R"({"prompt":"a"})", "Content-Encoding: identity\r\n")
          .status,
      200);
}

TEST(Session, HoldsNoMoreConnectionsThanItsMaximum) {
  TestServer server({.limits = {.connections_max = 2}});
  TestClient a = server.connect(), b = server.connect();
  ASSERT_EQ(a.ask("GET", "/health").status, 200);
  ASSERT_EQ(b.ask("GET", "/health").status, 200);
  TestClient c = server.connect();
  EXPECT_EQ(c.read().status, 503);
}

TEST(Session, NeedsTheKeyEverywhereButForHealth) {
  TestServer server({.api_keys = {"secret-1", "secret-2"}});
  TestClient client = server.connect();
  EXPECT_EQ(client.ask("GET", "/health").status, 200);
  EXPECT_EQ(client.ask("GET", "/v1/models", "", "Authorization: Bearer secret-2\r\n").status, 200);
  TestReply reply = server.connect().ask("GET", "/v1/models");
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(error_code_of(reply), "invalid_api_key");
  EXPECT_EQ(reply.headers["www-authenticate"], "Bearer");
  EXPECT_EQ(server.connect().ask("GET", "/nothing", "", "Authorization: Bearer secret\r\n").status,
            401);
}

// A web page must not reach the server through the browser of someone at this machine.
TEST(Session, RefusesOtherHostsAndOrigins) {
  TestServer server;
  const auto ask = [&](const std::string& headers) {
    TestClient client = server.connect();
    client.write("GET /v1/models HTTP/1.1\r\n" + headers + "\r\n");
    return client.read().status;
  };
  EXPECT_EQ(ask("Host: 127.0.0.1:8080\r\n"), 200);
  EXPECT_EQ(ask("Host: [::1]:8080\r\n"), 200);
  EXPECT_EQ(ask("Host: LOCALHOST\r\n"), 200);
  EXPECT_EQ(ask("Host: evil.example\r\n"), 403);
  EXPECT_EQ(ask("Host: localhost.evil.example\r\n"), 403);
  EXPECT_EQ(ask(""), 400);
  EXPECT_EQ(ask("Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n"), 200);
  EXPECT_EQ(ask("Host: localhost:8080\r\nOrigin: https://evil.example\r\n"), 403);
  EXPECT_EQ(ask("Host: localhost:8080\r\nOrigin: null\r\n"), 403);
}

}  // namespace
}  // namespace drystone

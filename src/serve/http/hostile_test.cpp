// Requests as attackers and broken clients send them. Each test ends with the question that
// matters: does the server still answer everybody else?
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "serve/http/test_server.h"

namespace drystone {
namespace {

using std::chrono::milliseconds;

// Sends bytes, says that nothing more comes, and reads what the server makes of it.
std::string throw_at(const TestServer& server, const std::string& bytes) {
  TestClient client = server.connect();
  boost::system::error_code error;  // the server may close in the middle, which is its right
  boost::asio::write(client.socket(), boost::asio::buffer(bytes), error);
  client.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
  return client.read_to_end();
}

std::string post(const std::string& headers, const std::string& body) {
  return "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
}

bool still_answers(const TestServer& server) {
  return server.connect().ask("GET", "/health").status == 200;
}

std::string mutated(std::string text, Rng& rng) {
  static const std::array<std::string, 10> kPieces = {"\r\n",
                                                      "\r\n\r\n",
                                                      ":",
                                                      "Content-Length: 99999999999999999999\r\n",
                                                      "0\r\n\r\n",
                                                      "Transfer-Encoding: chunked\r\n",
                                                      std::string(1, '\0'),
                                                      "\xff\xfe",
                                                      "GET / HTTP/1.1\r\n",
                                                      "{\"prompt\":[[[[[["};
  const std::uint64_t changes = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = rng.below(text.size() + 1);
    switch (rng.below(5)) {
      case 0:
        text.insert(at, kPieces[rng.below(kPieces.size())]);
        break;
      case 1:
        text.erase(at, 1 + rng.below(16));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(rng.below(256));
        break;
      case 3:
        text.insert(at, text.substr(at, rng.below(64)));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

TEST(Hostile, TenThousandMutatedRequestsLeaveTheServerAnswering) {
  constexpr int kRequests = 10'000;
  TestServer server({.limits = {.body_bytes_max = 1 << 16, .header_max = milliseconds(200)}});
  const std::string body = R"({"prompt":"hello","max_tokens":3,"temperature":0.5,"stop":["x"]})";
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  const std::vector<std::string> seeds = {
      "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /v1/models/a%20b?x=1 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
      post(length, body),
      post("Transfer-Encoding: chunked\r\n", "5;a=b\r\n{\"pro\r\n0\r\nX: y\r\n\r\n"),
      post(length + "Expect: 100-continue\r\n", body),
      post(length, body) + "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n" + post(length, body)};
  Rng rng(20260);
  int answered = 0;
  for (int i = 0; i < kRequests; ++i) {
    const std::string reply = throw_at(server, mutated(seeds[rng.below(seeds.size())], rng));
    EXPECT_TRUE(reply.empty() || reply.starts_with("HTTP/1.1 ")) << reply.substr(0, 80);
    EXPECT_EQ(reply.find("HTTP/1.1 500"), std::string::npos) << reply;
    answered += reply.empty() ? 0 : 1;
  }
  EXPECT_GT(answered, kRequests / 2);
  EXPECT_TRUE(still_answers(server));
}

// What two servers in a row could read differently must not be read at all.
TEST(Hostile, RefusesLengthsThatDisagree) {
  TestServer server;
  const std::string body = R"({"prompt":"x"})";
  for (const std::string& headers :
       {std::string("Content-Length: 14\r\nContent-Length: 15\r\n"),
        std::string("Content-Length: 14\r\nTransfer-Encoding: chunked\r\n"),
        std::string("Content-Length: +14\r\n"), std::string("Content-Length: -1\r\n"),
        std::string("Content-Length: 1e1\r\n"), std::string("Content-Length: 0x0e\r\n"),
        std::string("Content-Length: 18446744073709551630\r\n"),
        std::string("Content-Length : 14\r\n")}) {
    const std::string reply = throw_at(server, post(headers, body));
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 4")) << headers << reply.substr(0, 60);
    EXPECT_NE(reply.find("Connection: close"), std::string::npos) << headers;
  }
  EXPECT_TRUE(still_answers(server));
}

TEST(Hostile, RefusesChunksThatAreNone) {
  TestServer server({.limits = {.body_bytes_max = 1000}});
  for (const std::string& chunks :
       {std::string("FFFFFFFFFFFFFFFFF\r\n"), std::string("-1\r\nx\r\n0\r\n\r\n"),
        std::string("5\r\nabcdefgh\r\n0\r\n\r\n"), std::string("zz\r\n"),
        std::string("2;") + std::string(1 << 20, 'e') + "\r\nab\r\n0\r\n\r\n"}) {
    const std::string reply = throw_at(server, post("Transfer-Encoding: chunked\r\n", chunks));
    EXPECT_TRUE(reply.empty() || reply.starts_with("HTTP/1.1 4")) << reply.substr(0, 60);
  }
  EXPECT_TRUE(still_answers(server));
}

TEST(Hostile, AnswersAThousandPipelinedRequestsInOrder) {
  TestServer server;
  TestClient client = server.connect();
  std::string burst;
  for (int i = 0; i < 500; ++i)
    burst +=
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::thread writer([&] { client.write(burst); });
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(client.read().status, 200);
    EXPECT_EQ(client.read().status, 404);
  }
  writer.join();
}

// Slowloris: many connections that each send a header byte now and then, for ever.
TEST(Hostile, ClientsThatDribbleLoseTheirConnections) {
  constexpr int kDribblers = 100;
  TestServer server({.limits = {.header_max = milliseconds(300)}});
  std::vector<TestClient> clients;
  for (int i = 0; i < kDribblers; ++i) {
    clients.push_back(server.connect());
    clients.back().write("GET /health HTTP/1.1\r\n");
  }
  boost::system::error_code error;
  for (int round = 0; round < 10; ++round) {
    std::this_thread::sleep_for(milliseconds(50));
    for (TestClient& client : clients)
      boost::asio::write(client.socket(), boost::asio::buffer("X", 1), error);
    EXPECT_TRUE(still_answers(server));
  }
  for (TestClient& client : clients) {
    const std::string end = client.read_to_end();
    EXPECT_TRUE(end.empty() || end.starts_with("HTTP/1.1 408")) << end;
  }
}

// One client must not take all connections from the others.
TEST(Hostile, OneClientGetsOnlyItsShareOfConnections) {
  TestServer server({.limits = {.connections_per_client_max = 4}});
  std::vector<TestClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.connect());
    EXPECT_EQ(clients.back().ask("GET", "/health").status, 200);
  }
  EXPECT_EQ(error_code_of(server.connect().read()), "too_many_connections");
  clients.pop_back();
  for (int tries = 0; tries < 100; ++tries) {
    TestClient again = server.connect();
    boost::system::error_code error;
    again.send("GET", "/health");
    if (again.read().status == 200) return;
    std::this_thread::sleep_for(milliseconds(10));
  }
  FAIL() << "a closed connection still counts";
}

}  // namespace
}  // namespace drystone

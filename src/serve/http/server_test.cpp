#include "serve/http/server.h"

#include <csignal>

#include "serve/http/test_server.h"

namespace drystone {
namespace {

constexpr const char* kChat = "/v1/chat/completions";

// The whole shape that OpenAI's clients read.
TEST(Server, AnswersAChat) {
  TestServer server;
  const TestReply reply =
      server.connect().ask("POST", kChat, chat_body("Grüße", R"("model":"alias","seed":7)"));

  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto json = reply.json();
  EXPECT_EQ(json.at("object"), "chat.completion");
  EXPECT_EQ(json.at("model"), "scripted");
  EXPECT_TRUE(std::string_view(json.at("id").as_string()).starts_with("chatcmpl-"));
  EXPECT_GT(json.at("created").as_int64(), 1'600'000'000);
  const auto& choice = json.at("choices").at(0);
  EXPECT_EQ(choice.at("message").at("role"), "assistant");
  EXPECT_EQ(choice.at("message").at("content"), "ok:Grüße");
  EXPECT_EQ(choice.at("finish_reason"), "stop");
  EXPECT_TRUE(choice.at("logprobs").is_null());
  EXPECT_EQ(
      boost::json::serialize(json.at("usage")),
      R"({"prompt_tokens":7,"completion_tokens":10,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}})");
  EXPECT_EQ(server.script.last.sampling.seed, 7u);
}

// Each chunk must be whole UTF-8, the texts together the answer, and the end marked as clients
// expect it.
TEST(Server, StreamsAChat) {
  TestServer server;
  const TestReply reply = server.connect().ask(
      "POST", kChat,
      chat_body("Grüße", R"("stream":true,"stream_options":{"include_usage":true})"));

  ASSERT_EQ(reply.status, 200) << reply.body;
  auto headers = reply.headers;
  EXPECT_EQ(headers["content-type"], "text/event-stream");
  std::string text, finish;
  boost::json::value usage;
  std::size_t at = 0;
  bool done = false;
  while (at < reply.body.size()) {
    const std::size_t end = reply.body.find("\n\n", at);
    ASSERT_NE(end, std::string::npos);
    const std::string event = reply.body.substr(at, end - at);
    at = end + 2;
    if (event.starts_with(":")) continue;
    ASSERT_TRUE(event.starts_with("data: ")) << event;
    ASSERT_FALSE(done);
    if (event == "data: [DONE]") {
      done = true;
      continue;
    }
    const auto json = boost::json::parse(event.substr(6));  // refuses cut characters
    EXPECT_EQ(json.at("object"), "chat.completion.chunk");
    if (json.at("choices").as_array().empty()) {
      usage = json.at("usage");
      continue;
    }
    const auto& choice = json.at("choices").at(0);
    if (const auto* content = choice.at("delta").as_object().if_contains("content"))
      text += content->as_string();
    if (!choice.at("finish_reason").is_null()) finish = choice.at("finish_reason").as_string();
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(text, "ok:Grüße");
  EXPECT_EQ(finish, "stop");
  EXPECT_EQ(usage.at("completion_tokens"), 10);
}

// Anybody could call himself more important; a key says how far that goes.
TEST(Server, AKeyMayHaveALowestPriorityNumber) {
  TestServer server({.api_keys = {*hash_api_key("batch") + " priority=7", *hash_api_key("any")}});
  const auto priority_of = [&](const std::string& key, const std::string& asked) {
    const TestReply reply = server.connect().ask("POST", kChat, chat_body("Hi", asked),
                                                 "Authorization: Bearer " + key + "\r\n");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return server.script.last.priority;
  };
  EXPECT_EQ(priority_of("batch", R"("priority":-100)"), 7);
  EXPECT_EQ(priority_of("batch", ""), 7);
  EXPECT_EQ(priority_of("batch", R"("priority":8)"), 8);
  EXPECT_EQ(priority_of("any", R"("priority":-100)"), -100);
}

TEST(Server, AnswersACompletion) {
  TestServer server;
  const TestReply reply = server.connect().ask("POST", "/v1/completions",
                                               R"({"prompt":"abcdef","max_tokens":4,"echo":true})");

  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto json = reply.json();
  EXPECT_EQ(json.at("object"), "text_completion");
  EXPECT_EQ(json.at("choices").at(0).at("text"), "abcdefok:a");
  EXPECT_EQ(json.at("choices").at(0).at("finish_reason"), "length");
}

TEST(Server, ShowsLogprobsInBothForms) {
  TestServer server;
  TestClient client = server.connect();
  const auto chat =
      client.ask("POST", kChat, chat_body("é", R"("logprobs":true,"top_logprobs":2)")).json();
  const auto& content = chat.at("choices").at(0).at("logprobs").at("content").as_array();
  ASSERT_EQ(content.size(), 5u);
  EXPECT_EQ(content[0].at("token"), "o");
  EXPECT_EQ(content[0].at("logprob"), -0.5);
  EXPECT_EQ(content[0].at("top_logprobs").as_array().size(), 2u);
  EXPECT_EQ(content[3].at("token"), "\uFFFD") << "half of a character";
  EXPECT_EQ(boost::json::serialize(content[3].at("bytes")), "[195]");

  const auto text = client.ask("POST", "/v1/completions", R"({"prompt":"é!","logprobs":1})").json();
  EXPECT_EQ(
      boost::json::serialize(text.at("choices").at(0).at("logprobs")),
      R"({"tokens":["o","k",":","bytes:\\xc3","bytes:\\xa9","!"],"token_logprobs":[-5E-1,-5E-1,-5E-1,-5E-1,-5E-1,-5E-1],)"
      R"("top_logprobs":[{"o":-5E-1},{"k":-5E-1},{":":-5E-1},{"bytes:\\xc3":-5E-1},{"bytes:\\xa9":-5E-1},{"!":-5E-1}],)"
      R"("text_offset":[0,1,2,3,4,4]})");
}

// Clients probe what is there before they ask.
TEST(Server, ListsItsModels) {
  TestServer server;
  TestClient client = server.connect();
  const auto list = client.ask("GET", "/v1/models").json();
  EXPECT_EQ(list.at("object"), "list");
  ASSERT_EQ(list.at("data").as_array().size(), 2u);
  EXPECT_EQ(list.at("data").at(1).at("id"), "alias");
  EXPECT_EQ(list.at("data").at(0).at("context_length"), 1000);
  EXPECT_EQ(client.ask("GET", "/v1/models/alias").json().at("id"), "alias");
  const TestReply missing = client.ask("GET", "/v1/models/a%2Fb");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(error_code_of(missing), "model_not_found");
}

TEST(Server, AnswersHealthWhileTheModelLoads) {
  TestServer server({}, /*with_model=*/false);
  server.server().set_progress(0.25);
  TestClient client = server.connect();
  TestReply reply = client.ask("GET", "/health");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.json().at("progress"), 0.25);
  reply = client.ask("POST", kChat, chat_body("Hi"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(error_code_of(reply), "model_loading");
  EXPECT_EQ(reply.headers["retry-after"], "1");

  server.load();
  while ((reply = client.ask("GET", "/health")).status != 200) {
  }
  EXPECT_EQ(reply.body, R"({"status":"ok"})");
}

TEST(Server, RefusesWithTheRightStatus) {
  TestServer server;
  TestClient client = server.connect();
  const auto expect = [&](int status, const std::string& code, const TestReply& reply) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(error_code_of(reply), code) << reply.body;
  };
  expect(404, "unknown_url", client.ask("GET", "/nothing/%ff"));
  expect(405, "method_not_allowed", client.ask("GET", kChat));
  expect(404, "model_not_found", client.ask("POST", kChat, chat_body("Hi", R"("model":"gpt-9")")));
  expect(400, "invalid_json", client.ask("POST", kChat, "{"));
  expect(400, "null", client.ask("POST", kChat, chat_body("raise")));
  expect(500, "null", client.ask("POST", kChat, chat_body("fail")));
  const TestReply reply = client.ask("POST", kChat, chat_body(std::string(1000, 'x')));
  expect(400, "context_length_exceeded", reply);
  EXPECT_NE(reply.body.find("maximum context length is 1000 tokens, but the prompt has 1000"),
            std::string::npos);
  expect(400, "null", client.ask("POST", "/v1/completions", R"({"prompt":[300]})"));
}

// A stream has its head already when the model fails: the error must come as an event, and the end
// too.
TEST(Server, ReportsAFailureWithinAStream) {
  TestServer server;
  const TestReply reply =
      server.connect().ask("POST", kChat, chat_body("fail", R"("stream":true)"));
  EXPECT_NE(reply.body.find(R"(data: {"error":{"message":"the device is on fire")"),
            std::string::npos)
      << reply.body;
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
}

TEST(Server, NamesIgnoredParametersInAHeader) {
  TestServer server;
  TestReply reply =
      server.connect().ask("POST", kChat, chat_body("Hi", R"("temprature":1,"x\r\ny":2)"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["drystone-ignored-parameters"], "temprature");
}

// A generation that nobody reads must not keep the model from the next client.
TEST(Server, CancelsWhenTheClientLeavesAStream) {
  TestServer server;
  server.script.hold(true);
  server.script.allowed = 2;
  TestClient client = server.connect();
  client.send("POST", kChat, chat_body("endless", R"("stream":true)"));
  client.read_head();
  ASSERT_TRUE(client.read_chunk().starts_with("data: "));
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  client.close();

  EXPECT_TRUE(server.script.wait_for([](auto& script) { return script.cancelled == 1; }));
}

TEST(Server, CancelsWhenTheClientLeavesAWholeAnswer) {
  TestServer server;
  server.script.hold(true);
  TestClient client = server.connect();
  client.send("POST", kChat, chat_body("endless"));
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  client.close();

  EXPECT_TRUE(server.script.wait_for([](auto& script) { return script.cancelled == 1; }));
}

// Sends a request that waits, and returns when the server has put it into the queue (its stream has
// begun).
TestClient enqueue(TestServer& server, const std::string& content, const std::string& key) {
  TestClient client = server.connect();
  client.send("POST", kChat, chat_body(content, R"("stream":true)"),
              "Authorization: Bearer " + key + "\r\n");
  EXPECT_EQ(client.read_head().status, 200);
  return client;
}

// One client's batch must not starve another, and a client that leaves the queue must leave no
// trace.
TEST(Server, QueuedClientsTakeTurns) {
  TestServer server;
  server.script.hold(true);
  TestClient running = enqueue(server, "first", "a");
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  TestClient a2 = enqueue(server, "a2", "a"), a3 = enqueue(server, "a3", "a"),
             b1 = enqueue(server, "b1", "b");
  {
    TestClient leaves = enqueue(server, "gone", "c");
    leaves.close();
  }
  TestClient last = enqueue(server, "a4", "a");
  server.script.hold(false);
  while (!last.read_chunk().empty()) {
  }
  for (TestClient* client : {&running, &a2, &a3, &b1}) client->close();

  EXPECT_EQ(server.script.started, (std::vector<std::string>{"first", "a2", "b1", "a3", "a4"}));
}

TEST(Server, AFullQueueSaysWhenToComeBack) {
  TestServer server({}, /*with_model=*/true, /*queue_max=*/1);
  server.script.hold(true);
  TestClient running = enqueue(server, "first", "a");
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  TestClient waiting = enqueue(server, "second", "a");
  TestReply reply = server.connect().ask("POST", kChat, chat_body("third"));

  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(error_code_of(reply), "queue_full");
  EXPECT_FALSE(reply.headers["retry-after"].empty());
  const std::pair<const char*, std::string> asks[] = {
      {"/v1/responses", R"({"input":"third"})"},
      {"/v1/messages", chat_body("third", R"("max_tokens":5)")},
      {"/api/chat", chat_body("third")},
  };
  for (const auto& [path, body] : asks) {
    reply = server.connect().ask("POST", path, body);
    EXPECT_EQ(reply.status, 429) << path;
    EXPECT_EQ(reply.headers["retry-after"], "5") << path;
  }
}

TEST(Server, RefusesMoreChoicesThanTheQueueHolds) {
  TestServer server({}, /*with_model=*/true, /*queue_max=*/2);
  EXPECT_EQ(server.connect().ask("POST", kChat, chat_body("Hi", R"("n":2)")).status, 200);
  const TestReply reply = server.connect().ask("POST", kChat, chat_body("Hi", R"("n":3)"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.json().at("error").at("param"), "n");
  EXPECT_FALSE(reply.headers.contains("retry-after"));
}

// Proxies and clients close connections on which nothing comes for a while.
TEST(Server, SendsCommentsWhileARequestWaits) {
  TestServer server({.limits = {.keep_alive_every = std::chrono::milliseconds(20)}});
  server.script.hold(true);
  TestClient running = enqueue(server, "first", "a");
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  TestClient waiting = enqueue(server, "second", "a");
  EXPECT_TRUE(waiting.read_chunk().starts_with("data: {")) << "the role comes at once";
  EXPECT_EQ(waiting.read_chunk(), ": waiting, position 1\n\n");
  TestClient behind = enqueue(server, "third", "a");
  EXPECT_TRUE(behind.read_chunk().starts_with("data: {"));
  EXPECT_EQ(behind.read_chunk(), ": waiting, position 2\n\n");
}

// What changes is told soon, what does not is no news.
TEST(Server, TellsHowFarARequestIs) {
  TestServer server({.limits = {.progress_every = std::chrono::milliseconds(10)}});
  server.script.hold(true);
  TestClient running = enqueue(server, "first", "a");
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));
  TestClient waiting = enqueue(server, "second", "a");
  waiting.read_chunk();
  EXPECT_EQ(waiting.read_chunk(), ": waiting, position 1\n\n");
  running.close();
  EXPECT_EQ(waiting.read_chunk(), ": prompt 0 of 6\n\n");
  server.script.hold(false);
  EXPECT_TRUE(waiting.read_chunk().starts_with("data: {"));
}

// Waiting would not help: the client has to know.
TEST(Server, RefusesWhatCanNeverFitInEveryDialect) {
  TestServer server;
  const std::string prompt(ScriptedModel::kHeldMax, 'x');
  const std::pair<const char*, std::string> asks[] = {
      {"/v1/chat/completions", chat_body(prompt)},
      {"/v1/completions", R"({"prompt":")" + prompt + "\"}"},
      {"/v1/responses", R"({"input":")" + prompt + "\"}"},
      {"/v1/messages", chat_body(prompt, R"("max_tokens":5)")},
      {"/api/chat", chat_body(prompt)},
  };
  for (const auto& [path, body] : asks)
    for (const std::size_t bytes : {ScriptedModel::kHeldMax, ScriptedModel::kContext}) {
      std::string text = body;
      text.insert(text.find('x'), bytes - ScriptedModel::kHeldMax, 'x');
      const TestReply reply = server.connect().ask("POST", path, text);
      EXPECT_EQ(reply.status, 400) << path << ": " << reply.body;
      EXPECT_NE(reply.body.find(std::to_string(bytes)), std::string::npos) << reply.body;
      EXPECT_FALSE(reply.headers.contains("retry-after"));
    }
}

// A reader that stops reading must cost a bounded amount of memory, and not the model's time.
TEST(Server, LetsGoOfAReaderThatFallsBehind) {
  TestServer server({.limits = {.unsent_bytes_max = 10'000}});
  TestClient client = server.connect();
  client.socket().set_option(boost::asio::socket_base::receive_buffer_size(4096));
  client.send("POST", kChat,
              chat_body("endless", R"("stream":true,"logprobs":true,"top_logprobs":20)"));
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.started.size() == 1; }));

  EXPECT_EQ(server.connect().ask("POST", kChat, chat_body("next")).status, 200);
  const std::string rest = client.read_to_end();
  EXPECT_EQ(rest.find("[DONE]"), std::string::npos) << "a cut answer must not look complete";
}

TEST(Server, StoppingFinishesTheAnswerAtHand) {
  TestServer server;
  server.script.hold(true);
  TestClient busy = enqueue(server, "first", "a");
  TestClient idle = server.connect();
  ASSERT_EQ(idle.ask("GET", "/health").status, 200);
  server.server().stop();
  EXPECT_EQ(idle.read_to_end(), "") << "idle connections are closed";
  server.script.hold(false);
  const std::string rest = busy.read_to_end();
  EXPECT_NE(rest.find("data: [DONE]"), std::string::npos);
  EXPECT_EQ(rest.find("error"), std::string::npos) << rest;
}

TEST(Server, StoppingCancelsWhatTakesTooLong) {
  TestServer server({.limits = {.stop_grace = std::chrono::milliseconds(30)}});
  server.script.hold(true);
  TestClient busy = enqueue(server, "first", "a"), waiting = enqueue(server, "second", "a");
  server.stop();
  for (TestClient* client : {&busy, &waiting}) {
    const std::string rest = client->read_to_end();
    EXPECT_NE(rest.find("server_stopping"), std::string::npos) << rest;
    EXPECT_NE(rest.find("[DONE]"), std::string::npos);
  }
}

// Service managers and Ctrl-C end it by a signal, with or without clients.
TEST(Server, StopsOnASignal) {
  for (const bool with_client : {false, true}) {
    TestServer server({.stop_on_signals = true});
    TestClient client = server.connect();
    ASSERT_EQ(client.ask("GET", "/health", "", with_client ? "" : "Connection: close\r\n").status,
              200);
    if (!with_client) client.close();
    std::raise(SIGTERM);
    server.join();
  }
}

TEST(Server, SaysWhenItsPortIsTaken) {
  TestServer server;
  const SystemClock clock;
  const auto second = Server::listen({.port = server.port(), .model_names = {"m"}}, clock);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("in use"), std::string::npos) << second.error().message();
}

// The default must be that nobody else on the network can use the machine.
TEST(Server, RefusesToServeTheNetworkWithoutAKey) {
  const SystemClock clock;
  for (const char* address : {"0.0.0.0", "::", "192.168.1.5"}) {
    const auto server = Server::listen({.address = address, .model_names = {"m"}}, clock);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code(), Errc::invalid_argument);
    EXPECT_NE(server.error().message().find("DRYSTONE_API_KEY"), std::string::npos);
  }
  EXPECT_TRUE(Server::listen({.address = "0.0.0.0", .api_keys = {"k"}, .model_names = {"m"}}, clock)
                  .has_value());
}

}  // namespace
}  // namespace drystone

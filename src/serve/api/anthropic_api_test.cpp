#include "serve/api/test_events.h"
#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr const char* kMessages = "/v1/messages";

std::string message_body(const std::string& content, const std::string& more = "") {
  return R"({"max_tokens":900,"messages":[{"role":"user","content":")" + content + R"("}])" +
         (more.empty() ? "" : "," + more) + "}";
}

void speak_hermes(TestServer& server) {
  server.script.answer = kToolAnswer;
  server.script.format = {.tools = ToolFormat::hermes,
                          .reasoning = {.open = "<think>", .close = "</think>"}};
}

constexpr const char* kTools =
    R"("thinking":{"type":"enabled","budget_tokens":1024},"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}])";

TEST(AnthropicApi, AnswersAMessage) {
  TestServer server;
  const auto reply = server.connect().ask("POST", kMessages, message_body("Hi"),
                                          "anthropic-version: 2023-06-01\r\n");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = reply.json();
  EXPECT_EQ(body.at("type"), "message");
  EXPECT_EQ(body.at("role"), "assistant");
  EXPECT_EQ(json::serialize(body.at("content")), R"([{"type":"text","text":"ok:Hi"}])");
  EXPECT_EQ(body.at("stop_reason"), "end_turn");
  EXPECT_EQ(body.at("usage").at("input_tokens"), 2);
  EXPECT_EQ(body.at("usage").at("output_tokens"), 5);
}

TEST(AnthropicApi, GivesThinkingAndCallsAsBlocks) {
  TestServer server;
  speak_hermes(server);
  const auto body = server.connect().ask("POST", kMessages, message_body("Hi", kTools)).json();
  const auto& content = body.at("content").as_array();
  ASSERT_EQ(content.size(), 3u);
  EXPECT_EQ(content[0].at("thinking"), "hm");
  EXPECT_EQ(content[1].at("text"), "Let me see.");
  EXPECT_EQ(content[2].at("name"), "weather");
  EXPECT_EQ(json::serialize(content[2].at("input")), R"({"city":"Bern"})");
  EXPECT_EQ(body.at("stop_reason"), "tool_use");
}

// A cut call is the beginning of one: stop_reason says so, and nothing of its marks is text.
TEST(AnthropicApi, GivesTheBeginningOfACallThatIsCut) {
  TestServer server;
  speak_hermes(server);
  const std::string text = kToolAnswer;
  for (const std::size_t tokens : {text.find("\"name") + 9, text.find("Bern") + 2}) {
    const bool named = tokens > text.find("arguments");
    const std::string body = R"({"max_tokens":)" + std::to_string(tokens) +
                             R"(,"messages":[{"role":"user","content":"Hi"}],)" + kTools;
    const auto whole = server.connect().ask("POST", kMessages, body + "}").json();
    EXPECT_EQ(whole.at("stop_reason"), "max_tokens");
    const auto& content = whole.at("content").as_array();
    ASSERT_EQ(content.size(), named ? 3u : 2u);
    EXPECT_EQ(content[1].at("text"), "Let me see.");
    if (named) {
      EXPECT_EQ(json::serialize(content[2].at("input")), "{}");
    }
    std::string input;
    for (const TestEvent& event :
         read_events(server.connect().ask("POST", kMessages, body + R"(,"stream":true})").body)) {
      if (event.type() != "content_block_delta") continue;
      const auto& delta = event.data.at("delta");
      if (delta.at("type") == "input_json_delta") input += delta.at("partial_json").as_string();
    }
    EXPECT_EQ(input, named ? "{\"city\": \"Be" : "");
  }
}

// The SDK puts a message together from these, in this order.
TEST(AnthropicApi, StreamsItsEventsInOrder) {
  TestServer server;
  speak_hermes(server);
  const auto reply = server.connect().ask(
      "POST", kMessages, message_body("Hi", std::string(kTools) + R"(,"stream":true)"));
  const auto events = read_events(reply.body);
  std::vector<std::string> seen;
  std::string input;
  for (const TestEvent& event : events) {
    EXPECT_EQ(event.name, event.type());
    std::string line = event.type();
    if (event.type() == "content_block_start")
      line += " " + std::string(event.data.at("content_block").at("type").as_string());
    if (event.type() == "content_block_delta") {
      const auto& delta = event.data.at("delta");
      line += " " + std::string(delta.at("type").as_string());
      if (delta.at("type") == "input_json_delta") input += delta.at("partial_json").as_string();
    }
    if (event.data.as_object().contains("index"))
      line += " " + std::to_string(event.data.at("index").as_int64());
    if (seen.empty() || seen.back() != line) seen.push_back(line);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{
                      "message_start",
                      "content_block_start thinking 0",
                      "content_block_delta thinking_delta 0",
                      "content_block_delta signature_delta 0",
                      "content_block_stop 0",
                      "content_block_start text 1",
                      "content_block_delta text_delta 1",
                      "content_block_stop 1",
                      "content_block_start tool_use 2",
                      "content_block_delta input_json_delta 2",
                      "content_block_stop 2",
                      "message_delta",
                      "message_stop",
                  }));
  EXPECT_EQ(json::serialize(json::parse(input)), R"({"city":"Bern"})");
  const auto& delta = events[events.size() - 2].data;
  EXPECT_EQ(delta.at("delta").at("stop_reason"), "tool_use");
  EXPECT_GT(delta.at("usage").at("output_tokens").as_int64(), 0);
}

TEST(AnthropicApi, CountsTokensWithoutAnswering) {
  TestServer server;
  const auto reply = server.connect().ask("POST", "/v1/messages/count_tokens",
                                          R"({"messages":[{"role":"user","content":"four"}]})");
  EXPECT_EQ(reply.body, R"({"input_tokens":4})");
  EXPECT_TRUE(server.script.started.empty());
}

TEST(AnthropicApi, SaysWhichStopSequenceEndedAnAnswer) {
  TestServer server;
  const std::string stops = R"("stop_sequences":["zzz","lo"])";
  const auto whole =
      server.connect().ask("POST", kMessages, message_body("Hello you", stops)).json();
  EXPECT_EQ(whole.at("content").at(0).at("text"), "ok:Hel");
  EXPECT_EQ(whole.at("stop_reason"), "stop_sequence");
  EXPECT_EQ(whole.at("stop_sequence"), "lo");
  const auto events = read_events(
      server.connect()
          .ask("POST", kMessages, message_body("Hello you", stops + R"(,"stream":true)"))
          .body);
  const auto& delta = events[events.size() - 2].data.at("delta");
  EXPECT_EQ(delta.at("stop_reason"), "stop_sequence");
  EXPECT_EQ(delta.at("stop_sequence"), "lo");
}

// Each refusal, also one that comes before the handler, in the shape that its SDK reads.
TEST(AnthropicApi, RefusesInItsOwnShape) {
  TestServer server;
  const auto type = [](const TestReply& reply) {
    const auto body = reply.json();
    EXPECT_EQ(body.at("type"), "error");
    return std::string(body.at("error").at("type").as_string());
  };
  TestClient client = server.connect();
  EXPECT_EQ(type(client.ask("POST", kMessages, "{}")), "invalid_request_error");
  EXPECT_EQ(type(client.ask("GET", kMessages)), "invalid_request_error");
  EXPECT_EQ(type(client.ask("POST", kMessages, message_body("Hi", R"("model":"other")"))),
            "not_found_error");
  EXPECT_EQ(type(client.ask("POST", kMessages, message_body("fail"))), "api_error");
  TestServer locked({.api_keys = {"k"}});
  EXPECT_EQ(type(locked.connect().ask("POST", kMessages, message_body("Hi"))),
            "authentication_error");
}

TEST(AnthropicApi, AFailureWithinAStreamIsAnErrorEvent) {
  TestServer server;
  const auto events = read_events(
      server.connect().ask("POST", kMessages, message_body("fail", R"("stream":true)")).body);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].name, "error");
  EXPECT_EQ(events[1].data.at("error").at("message"), "the device is on fire");
}

TEST(AnthropicApi, TellsHowFarARequestIsInComments) {
  TestServer server({.limits = {.progress_every = std::chrono::milliseconds(10)}});
  server.script.hold(true);
  TestClient client = server.connect();
  client.send("POST", kMessages, message_body("Hi", R"("stream":true)"));
  ASSERT_EQ(client.read_head().status, 200);
  EXPECT_TRUE(client.read_chunk().starts_with("event: message_start\n"));
  EXPECT_EQ(client.read_chunk(), ": prompt 0 of 2\n\n");
}

TEST(AnthropicApi, PingsWhileARequestWaits) {
  TestServer server({.limits = {.keep_alive_every = std::chrono::milliseconds(20)}});
  server.script.hold(true);
  TestClient client = server.connect();
  client.send("POST", kMessages, message_body("Hi", R"("stream":true)"));
  ASSERT_EQ(client.read_head().status, 200);
  EXPECT_TRUE(client.read_chunk().starts_with("event: message_start\n"));
  EXPECT_TRUE(client.read_chunk().starts_with("event: ping\n"));
}

}  // namespace
}  // namespace drystone

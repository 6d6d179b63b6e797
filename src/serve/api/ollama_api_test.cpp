#include <cmath>

#include "serve/api/test_events.h"
#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace json = boost::json;

std::vector<json::value> read_lines(const std::string& body) {
  std::vector<json::value> out;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "cut: " << body.substr(at);
      break;
    }
    out.push_back(json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

// A stream unless told otherwise; each line one JSON object, the last with the counts.
TEST(OllamaApi, StreamsAChatAsLines) {
  TestServer server;
  const auto reply = server.connect().ask(
      "POST", "/api/chat",
      R"({"model":"alias:latest","messages":[{"role":"user","content":"Hé"}],"options":{"seed":5,"num_ctx":512,"num_predict":-1}})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("content-type"), "application/x-ndjson");
  std::string text;
  const auto lines = read_lines(reply.body);
  for (const auto& line : lines) {
    text += line.at("message").at("content").as_string();
    EXPECT_EQ(line.at("done").as_bool(), &line == &lines.back());
  }
  EXPECT_EQ(text, "ok:Hé");
  EXPECT_EQ(lines.back().at("done_reason"), "stop");
  EXPECT_EQ(lines.back().at("prompt_eval_count"), 3);
  EXPECT_EQ(lines.back().at("eval_count"), 6);
  EXPECT_EQ(server.script.last.sampling.seed, 5u);
}

TEST(OllamaApi, GivesThinkingAndWholeCalls) {
  TestServer server;
  server.script.answer = kToolAnswer;
  server.script.format = {.tools = ToolFormat::hermes,
                          .reasoning = {.open = "<think>", .close = "</think>"}};
  for (const bool stream : {false, true}) {
    const auto reply = server.connect().ask(
        "POST", "/api/chat",
        std::string(
            R"({"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"stream":)") +
            (stream ? "true}" : "false}"));
    std::string thinking, text;
    int calls = 0;
    for (const auto& line :
         stream ? read_lines(reply.body) : std::vector<json::value>{reply.json()}) {
      const auto& message = line.at("message").as_object();
      text += message.at("content").as_string();
      if (const auto* more = message.if_contains("thinking")) thinking += more->as_string();
      if (const auto* found = message.if_contains("tool_calls")) {
        ++calls;
        EXPECT_EQ(found->at(0).at("function").at("name"), "weather");
        EXPECT_EQ(json::serialize(found->at(0).at("function").at("arguments")),
                  R"({"city":"Bern"})");
      }
    }
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(thinking, "hm");
    EXPECT_EQ(text, "Let me see.");
  }
}

// Arguments are an object here: of a call that the limit cut there is none to give, and an empty
// one would be another call.
TEST(OllamaApi, LeavesOutACallThatIsCut) {
  TestServer server;
  server.script.answer = kToolAnswer;
  server.script.format = {.tools = ToolFormat::hermes,
                          .reasoning = {.open = "<think>", .close = "</think>"}};
  const std::size_t tokens = std::string_view(kToolAnswer).find("Bern") + 2;
  for (const char* stream : {"true", "false"}) {
    const auto lines = read_lines(
        server.connect()
            .ask("POST", "/api/chat",
                 std::string(R"({"messages":[{"role":"user","content":"Hi"}],"options":)") +
                     R"({"num_predict":)" + std::to_string(tokens) + R"(},"stream":)" + stream +
                     R"(,"tools":[{"type":"function","function":{"name":"weather"}}]})")
            .body +
        (stream == std::string_view("false") ? "\n" : ""));
    std::string text;
    for (const auto& line : lines) {
      EXPECT_FALSE(line.at("message").as_object().contains("tool_calls"));
      text += line.at("message").at("content").as_string();
    }
    EXPECT_EQ(text, "Let me see.");
    EXPECT_EQ(lines.back().at("done_reason"), "length");
  }
}

TEST(OllamaApi, GeneratesFromAPrompt) {
  TestServer server;
  TestClient client = server.connect();
  const auto body =
      client.ask("POST", "/api/generate", R"({"prompt":"Hi","system":"Be brief.","stream":false})")
          .json();
  EXPECT_EQ(body.at("response"), "ok:Hi");
  EXPECT_EQ(server.script.last_chat.messages.size(), 2u);
  const auto raw =
      client.ask("POST", "/api/generate", R"({"prompt":"Hi","raw":true,"stream":false})").json();
  EXPECT_EQ(raw.at("response"), "ok:Hi");
  // An empty prompt asks for loading, which is done.
  const auto load = client.ask("POST", "/api/generate", R"({"stream":false})").json();
  EXPECT_EQ(load.at("done_reason"), "load");
  const auto unload = read_lines(client.ask("POST", "/api/chat", R"({"keep_alive":0})").body);
  EXPECT_EQ(unload.at(0).at("done_reason"), "unload");
}

TEST(OllamaApi, TellsAboutItsModels) {
  TestServer server;
  TestClient client = server.connect();
  const auto tags = client.ask("GET", "/api/tags").json();
  EXPECT_EQ(tags.at("models").at(1).at("name"), "alias");
  EXPECT_EQ(tags.at("models").at(0).at("digest").as_string().size(), 64u);
  EXPECT_EQ(client.ask("GET", "/api/ps").json().at("models").at(0).at("context_length"), 1000);
  EXPECT_EQ(client.ask("POST", "/api/show", R"({"model":"alias"})").json().at("capabilities").at(0),
            "completion");
  EXPECT_TRUE(client.ask("GET", "/api/version").json().at("version").is_string());
}

TEST(OllamaApi, RefusesInItsOwnShape) {
  TestServer server;
  TestClient client = server.connect();
  const auto refused = [&](int status, const std::string& words, const char* path,
                           const std::string& body) {
    const auto reply = client.ask("POST", path, body);
    EXPECT_EQ(reply.status, status) << reply.body;
    const std::string message(reply.json().at("error").as_string());
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  const std::string hi = R"("messages":[{"role":"user","content":"Hi"}])";
  refused(404, "gpt", "/api/chat", R"({"model":"gpt",)" + hi + "}");
  refused(400, "num_ctx", "/api/chat", R"({"options":{"num_ctx":2000},)" + hi + "}");
  refused(400, "mirostat", "/api/chat", R"({"options":{"mirostat":2},)" + hi + "}");
  refused(400, "'format'", "/api/chat", R"({"format":"json",)" + hi + "}");
  refused(400, "images", "/api/chat",
          R"({"messages":[{"role":"user","content":"Hi","images":["x"]}]})");
  refused(404, "gpt", "/api/embed", R"({"model":"gpt","input":"Hi"})");
  refused(400, "num_ctx", "/api/embed", R"({"input":"Hi","options":{"num_ctx":2000}})");
  refused(400, "dimensions", "/api/embed", R"({"input":"Hi","dimensions":4})");
  refused(400, "input[1]", "/api/embed", R"({"input":["Hi",2]})");
}

// Its clients build an index of what comes back: one vector for each text, of length 1.
TEST(OllamaApi, EmbedsTexts) {
  TestServer server;
  TestClient client = server.connect();
  const auto whole =
      client.ask("POST", "/api/embed", R"({"model":"alias","input":["AB","ABC"]})").json();
  EXPECT_EQ(whole.at("model"), "alias");
  EXPECT_EQ(whole.at("prompt_eval_count"), 5);
  EXPECT_GE(whole.at("total_duration").to_number<double>(), 0);
  const auto& vectors = whole.at("embeddings").as_array();
  ASSERT_EQ(vectors.size(), 2u);
  const double length = std::sqrt(2 * 2 + 65 * 65 + 66 * 66);
  EXPECT_NEAR(vectors[0].at(1).to_number<double>(), 65 / length, 1e-6);
  EXPECT_EQ(
      client.ask("POST", "/api/embed", R"({"input":"AB","dimensions":1})").json().at("embeddings"),
      json::parse("[[1]]"));
  EXPECT_EQ(client.ask("POST", "/api/embed", R"({"input":""})").json().at("embeddings"),
            json::array{});
  // The older endpoint gives one, as the model computed it.
  EXPECT_EQ(client.ask("POST", "/api/embeddings", R"({"prompt":"AB"})").json().at("embedding"),
            json::parse("[2,65,66]"));
}

// Ollama cuts what is too long unless told not to; an index of half texts must not be a surprise.
TEST(OllamaApi, CutsATextOrRefusesItAsTold) {
  TestServer server;
  TestClient client = server.connect();
  const std::string text(ScriptedModel::kContext + 5, 'x');
  const auto ask = [&](const std::string& more) {
    return client.ask("POST", "/api/embed", R"({"input":")" + text + "\"" + more + "}");
  };
  EXPECT_EQ(ask(R"(,"options":{"num_ctx":900})").json().at("prompt_eval_count"), 900);
  EXPECT_EQ(ask(R"(,"options":{"num_ctx":10})").json().at("prompt_eval_count"), 10);
  const auto refused = ask(R"(,"truncate":false)");
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("1005 tokens"), std::string::npos) << refused.body;
  // Cut to the context, which is more than this model's cache holds.
  EXPECT_NE(ask("").body.find("1000 tokens"), std::string::npos);
}

TEST(OllamaApi, AFailureWithinAStreamIsItsLastLine) {
  TestServer server;
  const auto lines =
      read_lines(server.connect()
                     .ask("POST", "/api/chat", R"({"messages":[{"role":"user","content":"fail"}]})")
                     .body);
  EXPECT_EQ(lines.back().at("error"), "the device is on fire");
}

}  // namespace
}  // namespace drystone

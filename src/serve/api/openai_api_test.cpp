#include "serve/api/test_events.h"
#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kTools =
    R"("tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}])";

void speak_hermes(TestServer& server, std::string answer = kToolAnswer) {
  server.script.answer = std::move(answer);
  server.script.format = {.tools = ToolFormat::hermes,
                          .reasoning = {.open = "<think>", .close = "</think>"}};
}

// A scripted model that takes every demand for a call, which its script then has to meet.
class ObedientModel : public ScriptedModel {
 public:
  using ScriptedModel::ScriptedModel;
  Result<std::shared_ptr<const CompiledConstraint>> compile_calls(const ChatRequest&,
                                                                  bool) const override {
    return std::shared_ptr<const CompiledConstraint>();
  }
};

// An agent acts on what stands in tool_calls; text of a call in `content` would be shown to people.
TEST(OpenAiApi, CutsReasoningAndCallsOutOfAnAnswer) {
  TestServer server;
  speak_hermes(server);
  const auto reply = server.connect().ask("POST", kChat, chat_body("Hi", kTools));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = reply.json();
  const auto& choice = body.at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  const auto& message = choice.at("message");
  EXPECT_EQ(message.at("content"), "Let me see.");
  EXPECT_EQ(message.at("reasoning_content"), "hm");
  const auto& call = message.at("tool_calls").at(0);
  EXPECT_EQ(call.at("type"), "function");
  EXPECT_FALSE(call.at("id").as_string().empty());
  EXPECT_EQ(call.at("function").at("name"), "weather");
  EXPECT_EQ(json::parse(call.at("function").at("arguments").as_string()).at("city"), "Bern");
}

TEST(OpenAiApi, StreamsCallsAsDeltas) {
  TestServer server;
  speak_hermes(server);
  const auto reply = server.connect().ask(
      "POST", kChat, chat_body("Hi", std::string(kTools) + R"(,"stream":true)"));
  std::string content, reasoning, name, arguments, finish, id;
  const auto events = read_events(reply.body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().data, "[DONE]");
  for (const TestEvent& event : events) {
    if (!event.data.is_object()) continue;
    const auto& choice = event.data.at("choices").at(0);
    const auto& delta = choice.at("delta").as_object();
    if (const auto* text = delta.if_contains("content")) content += text->as_string();
    if (const auto* text = delta.if_contains("reasoning_content")) reasoning += text->as_string();
    if (const auto* calls = delta.if_contains("tool_calls")) {
      const auto& call = calls->at(0).as_object();
      EXPECT_EQ(call.at("index"), 0);
      if (call.contains("id")) id += call.at("id").as_string();
      const auto& function = call.at("function").as_object();
      if (function.contains("name")) name += function.at("name").as_string();
      arguments += function.at("arguments").as_string();
    }
    if (choice.at("finish_reason").is_string()) finish = choice.at("finish_reason").as_string();
  }
  EXPECT_EQ(content, "Let me see.");
  EXPECT_EQ(reasoning, "hm");
  EXPECT_EQ(name, "weather");
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(json::parse(arguments).at("city"), "Bern");
  EXPECT_EQ(finish, "tool_calls");
}

TEST(OpenAiApi, KeepsToOneCallWhenAskedTo) {
  TestServer server;
  speak_hermes(server,
               "<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>\n<tool_call>"
               "\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>");
  const auto calls = [&](const std::string& more) {
    const auto reply =
        server.connect().ask("POST", kChat, chat_body("Hi", std::string(kTools) + more)).json();
    return reply.at("choices").at(0).at("message").at("tool_calls").as_array().size();
  };
  EXPECT_EQ(calls(""), 2u);
  EXPECT_EQ(calls(R"(,"parallel_tool_calls":false)"), 1u);
}

// Marks of a call in `content` would be shown to people; half of its arguments are of use to nobody
// who does not know that they are half.
TEST(OpenAiApi, AForcedCallThatIsCutIsStillACall) {
  TestServer server({}, /*with_model=*/false);
  server.server().set_model(std::make_unique<ObedientModel>(server.script));
  const std::string answer =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";
  speak_hermes(server, answer);
  TestClient client = server.connect();
  for (std::size_t tokens = 1; tokens < answer.size(); ++tokens) {
    const std::string body =
        chat_body("Hi", std::string(kTools) + R"(,"tool_choice":"required","max_tokens":)" +
                            std::to_string(tokens));
    const auto choice = client.ask("POST", kChat, body).json().at("choices").at(0);
    EXPECT_EQ(choice.at("finish_reason"), "length");
    const auto& message = choice.at("message").as_object();
    const bool called = message.contains("tool_calls");
    EXPECT_EQ(called, tokens >= answer.find(", \"arg")) << tokens;
    if (!called) {
      EXPECT_EQ(message.at("content"), "") << tokens;
      continue;
    }
    EXPECT_TRUE(message.at("content").is_null()) << tokens;
    const auto& function = message.at("tool_calls").at(0).at("function");
    EXPECT_EQ(function.at("name"), "weather");
    const std::string arguments(function.at("arguments").as_string());
    EXPECT_TRUE(std::string_view(R"({"city": "Bern"})").starts_with(arguments)) << arguments;

    std::string streamed;
    const auto stream = body.substr(0, body.size() - 1) + R"(,"stream":true})";
    for (const TestEvent& event : read_events(client.ask("POST", kChat, stream).body)) {
      if (!event.data.is_object()) continue;
      const auto& delta = event.data.at("choices").at(0).at("delta").as_object();
      if (const auto* text = delta.if_contains("content")) {
        EXPECT_EQ(*text, "") << tokens;
      }
      if (const auto* calls = delta.if_contains("tool_calls"))
        streamed += calls->at(0).at("function").at("arguments").as_string();
    }
    EXPECT_EQ(streamed, arguments);
  }
}

// What ended an answer, as vLLM tells it.
TEST(OpenAiApi, SaysWhatStoppedAnAnswer) {
  TestServer server;
  const auto choice = [&](const std::string& fields) {
    return server.connect()
        .ask("POST", kChat, chat_body("Hello", fields))
        .json()
        .at("choices")
        .at(0);
  };
  EXPECT_EQ(choice(R"("stop":["l"])").at("stop_reason"), "l");
  EXPECT_EQ(choice(R"("stop":["l"])").at("finish_reason"), "stop");
  EXPECT_TRUE(choice(R"("stop":["z"])").at("stop_reason").is_null());
  const auto events = read_events(
      server.connect().ask("POST", kChat, chat_body("Hello", R"("stop":"l","stream":true)")).body);
  EXPECT_EQ(events[events.size() - 2].data.at("choices").at(0).at("stop_reason"), "l");
  const auto text =
      server.connect().ask("POST", "/v1/completions", R"({"prompt":"ab","stop":"b"})");
  EXPECT_EQ(text.json().at("choices").at(0).at("stop_reason"), "b");
}

// People pay attention, and elsewhere money, by these.
TEST(OpenAiApi, CountsTheTokensOfReasoning) {
  TestServer server;
  speak_hermes(server);
  const auto chat = server.connect().ask("POST", kChat, chat_body("Hi", kTools)).json();
  // "\nhm": a token is a byte here; the marks, and the white space before the last, are none.
  EXPECT_EQ(chat.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 3);
  const auto response = server.connect().ask("POST", "/v1/responses", R"({"input":"Hi"})").json();
  EXPECT_EQ(response.at("usage").at("output_tokens_details").at("reasoning_tokens"), 3);
  const auto hidden =
      server.connect().ask("POST", kChat, chat_body("Hi", R"("include_reasoning":false)")).json();
  EXPECT_EQ(hidden.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 3);
  server.script.answer = "No thought.";
  const auto plain = server.connect().ask("POST", kChat, chat_body("Hi")).json();
  EXPECT_EQ(plain.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 0);
}

TEST(OpenAiApi, GivesSeveralChoices) {
  TestServer server;
  const auto whole = server.connect().ask("POST", kChat, chat_body("Hi", R"("n":3)")).json();
  ASSERT_EQ(whole.at("choices").as_array().size(), 3u);
  EXPECT_EQ(whole.at("choices").at(2).at("index"), 2);
  EXPECT_EQ(whole.at("choices").at(2).at("message").at("content"), "ok:Hi");
  EXPECT_EQ(whole.at("usage").at("prompt_tokens"), 2) << "the prompt counts once";
  EXPECT_EQ(whole.at("usage").at("completion_tokens"), 15);

  const auto stream =
      server.connect().ask("POST", kChat, chat_body("Hi", R"("n":3,"stream":true)"));
  std::string texts[3];
  int finished = 0;
  for (const TestEvent& event : read_events(stream.body)) {
    if (!event.data.is_object()) continue;
    const auto& choice = event.data.at("choices").at(0);
    if (const auto* text = choice.at("delta").as_object().if_contains("content"))
      texts[choice.at("index").as_int64()] += text->as_string();
    finished += choice.at("finish_reason").is_string();
  }
  for (const std::string& text : texts) EXPECT_EQ(text, "ok:Hi");
  EXPECT_EQ(finished, 3);
}

TEST(OpenAiApi, CompletesSeveralPrompts) {
  TestServer server;
  const auto body = server.connect()
                        .ask("POST", "/v1/completions",
                             R"({"prompt":["ab",[99,100]],"n":2,"max_tokens":20,"echo":true})")
                        .json();
  const auto& choices = body.at("choices").as_array();
  ASSERT_EQ(choices.size(), 4u);
  EXPECT_EQ(choices[1].at("text"), "abok:ab");
  EXPECT_EQ(choices[2].at("text"), "cdok:cd") << "token ids are echoed as text";
  EXPECT_EQ(choices[3].at("index"), 3);
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), 4);
}

// What the engine cannot do must not look as if it had been done.
TEST(OpenAiApi, RefusesWhatTheEngineCannotDo) {
  TestServer server;
  const std::pair<std::string, const char*> cases[] = {
      {R"("response_format":{"type":"json_object"})", "response_format"},
      {R"("guided_regex":"a+")", "guided_regex"},
      {std::string(kTools) + R"(,"tool_choice":"required")", "tool_choice"},
      {kTools, "tools"},
      {R"("stop_token_ids":[300])", "stop_token_ids"},
      {R"("min_tokens":10,"max_tokens":9)", "min_tokens"},
      {R"("min_tokens":999)", "min_tokens"},
      {std::string(kTools) + R"(,"response_format":{"type":"json_object"})", "response_format"},
  };
  for (const auto& [fields, param] : cases) {
    const auto reply = server.connect().ask("POST", kChat, chat_body("Hi", fields));
    EXPECT_EQ(reply.status, 400) << fields;
    EXPECT_EQ(reply.json().at("error").at("param"), param) << reply.body;
  }
  const auto suffix =
      server.connect().ask("POST", "/v1/completions", R"({"prompt":"a","suffix":"b"})");
  EXPECT_EQ(suffix.json().at("error").at("param"), "suffix");
  EXPECT_EQ(server.connect()
                .ask("POST", "/v1/rerank", R"({"query":"a","documents":["b"]})")
                .json()
                .at("error")
                .at("code"),
            "unsupported_model");
}

// What is not known is named; a client's developer looks there first.
TEST(OpenAiApi, NamesWhatItIgnored) {
  TestServer server;
  const auto reply = server.connect().ask(
      "POST", kChat,
      R"({"frobnicate":1,"messages":[{"role":"user","content":"Hi","mood":"good"}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("drystone-ignored-parameters"), "messages.mood, frobnicate");
}

TEST(OpenAiApi, PassesExtensionsToTheEngine) {
  TestServer server;
  const auto reply = server.connect().ask(
      "POST", kChat, chat_body("Hi", R"("stop_token_ids":[7],"cache_salt":"s","priority":3)"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(server.script.last.stop_tokens, std::vector<TokenId>{7});
  EXPECT_EQ(server.script.last.cache_salt, "s");
  EXPECT_EQ(server.script.last.priority, 3);
}

TEST(OpenAiApi, TokenizesBothWays) {
  TestServer server;
  TestClient client = server.connect();
  const auto ids =
      client.ask("POST", "/v1/tokenize", R"({"prompt":"abc","return_token_strs":true})").json();
  EXPECT_EQ(json::serialize(ids.at("tokens")), "[97,98,99]");
  EXPECT_EQ(ids.at("count"), 3);
  EXPECT_EQ(ids.at("token_strs").at(2), "c");
  EXPECT_EQ(client.ask("POST", "/tokenize", chat_body("Hi")).json().at("count"), 2);
  EXPECT_EQ(client.ask("POST", "/v1/detokenize", R"({"tokens":[104,105]})").json().at("prompt"),
            "hi");
  EXPECT_EQ(client.ask("POST", "/v1/detokenize", R"({"tokens":[104,1000]})").status, 400);
  EXPECT_EQ(client.ask("POST", "/v1/tokenize", "{}").status, 400);
  // Other ids than were asked for would look like the right ones.
  for (const char* field : {R"("add_special":false)", R"("parse_special":false)", R"("x":1)"})
    EXPECT_EQ(
        client.ask("POST", "/v1/tokenize", std::string(R"({"prompt":"a",)") + field + "}").status,
        400)
        << field;
  EXPECT_EQ(client.ask("POST", "/v1/tokenize", chat_body("Hi", R"("x":1)")).status, 400);
}

TEST(Responses, AnswersAndRemembers) {
  TestServer server;
  TestClient client = server.connect();
  const auto first = client
                         .ask("POST", "/v1/responses",
                              R"({"input":"One","instructions":"Be brief.","temperature":0.5})")
                         .json();
  EXPECT_EQ(first.at("object"), "response");
  EXPECT_EQ(first.at("status"), "completed");
  EXPECT_EQ(first.at("output").at(0).at("content").at(0).at("text"), "ok:One");
  EXPECT_EQ(first.at("usage").at("input_tokens"), 3);
  const std::string id(first.at("id").as_string());
  EXPECT_EQ(client.ask("GET", "/v1/responses/" + id).json(), first);

  const auto second = client.ask("POST", "/v1/responses",
                                 R"({"input":[{"role":"user","content":[{"type":"input_text",)"
                                 R"("text":"Two"}]}],"previous_response_id":")" +
                                     id + "\"}");
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(
      json::serialize(server.script.last_chat.messages),
      R"([{"role":"user","content":"One"},{"role":"assistant","content":"ok:One"},{"role":"user","content":"Two"}])")
      << "instructions are not inherited";
  EXPECT_EQ(client.ask("DELETE", "/v1/responses/" + id).status, 200);
  EXPECT_EQ(client.ask("GET", "/v1/responses/" + id).status, 404);
  EXPECT_EQ(
      client.ask("POST", "/v1/responses", R"({"input":"x","previous_response_id":")" + id + "\"}")
          .status,
      404);
}

// Who reads the items alone must see that the last one is not whole.
TEST(Responses, AnItemThatIsCutIsIncomplete) {
  TestServer server;
  speak_hermes(server);
  TestClient client = server.connect();
  const auto body = [](std::size_t tokens, const std::string& more) {
    return R"({"input":"Hi","max_output_tokens":)" + std::to_string(tokens) +
           R"(,"tools":[{"type":"function","name":"weather"}])" + more + "}";
  };
  const std::string text = kToolAnswer;
  const std::pair<std::size_t, const char*> cases[] = {
      {text.find("hm") + 1, "reasoning"},
      {text.find("me see") + 2, "message"},
      {text.find("Bern") + 2, "function_call"},
  };
  for (const auto& [tokens, type] : cases) {
    const auto whole = client.ask("POST", "/v1/responses", body(tokens, "")).json();
    EXPECT_EQ(whole.at("status"), "incomplete");
    EXPECT_EQ(whole.at("incomplete_details").at("reason"), "max_output_tokens");
    const auto& output = whole.at("output").as_array();
    ASSERT_FALSE(output.empty());
    EXPECT_EQ(output.back().at("type"), type);
    for (const auto& item : output)
      EXPECT_EQ(item.at("status"), &item == &output.back() ? "incomplete" : "completed");
    const auto events =
        read_events(client.ask("POST", "/v1/responses", body(tokens, R"(,"stream":true)")).body);
    EXPECT_EQ(events.back().type(), "response.incomplete");
    EXPECT_EQ(events[events.size() - 2].type(), "response.output_item.done");
    EXPECT_EQ(events[events.size() - 2].data.at("item").at("status"), "incomplete");
    // The conversation can go on.
    const auto next = client.ask("POST", "/v1/responses",
                                 R"({"input":"Go on.","previous_response_id":")" +
                                     std::string(whole.at("id").as_string()) + "\"}");
    EXPECT_EQ(next.status, 200) << next.body;
    for (const auto& message : server.script.last_chat.messages)
      EXPECT_FALSE(message.as_object().contains("tool_calls"));
  }
}

// Codex and others follow the order of the events.
TEST(Responses, StreamsItsEventsInOrder) {
  TestServer server;
  speak_hermes(server);
  const auto reply = server.connect().ask(
      "POST", "/v1/responses",
      R"({"input":"Hi","stream":true,"tools":[{"type":"web_search"},{"type":"function","name":"weather","parameters":{"type":"object"}}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("drystone-ignored-parameters"), "tools.web_search");
  const auto events = read_events(reply.body);
  EXPECT_EQ(
      types_of(events),
      (std::vector<std::string>{
          "response.created", "response.in_progress", "response.output_item.added",
          "response.content_part.added", "response.reasoning_text.delta",
          "response.reasoning_text.done", "response.content_part.done", "response.output_item.done",
          "response.output_item.added", "response.content_part.added", "response.output_text.delta",
          "response.output_text.done", "response.content_part.done", "response.output_item.done",
          "response.output_item.added", "response.function_call_arguments.delta",
          "response.function_call_arguments.done", "response.output_item.done",
          "response.completed"}));
  std::int64_t number = 0;
  for (const TestEvent& event : events) {
    EXPECT_EQ(event.name, event.type());
    EXPECT_EQ(event.data.at("sequence_number"), number++);
  }
  const auto& output = events.back().data.at("response").at("output").as_array();
  ASSERT_EQ(output.size(), 3u);
  EXPECT_EQ(output[0].at("type"), "reasoning");
  EXPECT_EQ(output[1].at("content").at(0).at("text"), "Let me see.");
  EXPECT_EQ(output[2].at("type"), "function_call");
  EXPECT_EQ(json::parse(output[2].at("arguments").as_string()).at("city"), "Bern");
}

TEST(Responses, ReadsTheHistoryOfAnAgent) {
  TestServer server;
  const auto reply = server.connect().ask("POST", "/v1/responses", R"({"store":false,"input":[
    {"type":"message","role":"developer","content":"Rules."},
    {"role":"user","content":"Weather?"},
    {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
    {"type":"function_call","call_id":"c1","name":"weather","arguments":"{\"city\":\"Bern\"}"},
    {"type":"function_call_output","call_id":"c1","output":"Sun"}],"instructions":"Be brief."})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(
      json::serialize(server.script.last_chat.messages),
      R"([{"role":"system","content":"Be brief.\n\nRules."},{"role":"user","content":"Weather?"},)"
      R"({"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"Bern"}}}]},)"
      R"({"role":"tool","content":"Sun","tool_call_id":"c1"}])");
  const std::string id(reply.json().at("id").as_string());
  EXPECT_EQ(server.connect().ask("GET", "/v1/responses/" + id).status, 404) << "store: false";
}

// A conversation that began elsewhere goes on here.
TEST(Responses, ReadsItemsOfOtherServers) {
  TestServer server;
  const auto reply = server.connect().ask("POST", "/v1/responses", R"({"input":[
    {"role":"user","content":"Mend it."},
    {"type":"web_search_call","status":"completed"},
    {"type":"reasoning","summary":[],"encrypted_content":"sealed elsewhere"},
    {"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"*** Begin"},
    {"type":"custom_tool_call_output","call_id":"c1","output":"Done"},
    {"type":"local_shell_call","call_id":"c2","action":{"type":"exec","command":["ls"]}},
    {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"a.txt"}]}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("drystone-ignored-parameters"), "input.web_search_call");
  EXPECT_EQ(
      json::serialize(server.script.last_chat.messages),
      R"([{"role":"user","content":"Mend it."},)"
      R"({"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"apply_patch","arguments":{"input":"*** Begin"}}}]},)"
      R"({"role":"tool","content":"Done","tool_call_id":"c1"},)"
      R"({"role":"assistant","content":"","tool_calls":[{"id":"c2","type":"function","function":{"name":"local_shell","arguments":{"type":"exec","command":["ls"]}}}]},)"
      R"({"role":"tool","content":"a.txt","tool_call_id":"c2"}])");
  EXPECT_EQ(server.connect()
                .ask("POST", "/v1/responses", R"({"input":[{"type":"web_search_call"}]})")
                .status,
            400)
      << "nothing is left to answer";
}

// An agent that keeps nothing here hands the reasoning back, so that the next prompt begins as the
// last one ended.
TEST(Responses, ReasoningComesBackSealed) {
  TestServer server;
  speak_hermes(server);
  const auto reply =
      server.connect()
          .ask("POST", "/v1/responses",
               R"({"input":"Hi","store":false,"include":["reasoning.encrypted_content"]})")
          .json();
  const auto& reasoning = reply.at("output").at(0);
  ASSERT_EQ(reasoning.at("type"), "reasoning");
  const json::value next = {{"input",
                             {{{"role", "user"}, {"content", "Hi"}},
                              {{"type", "reasoning"},
                               {"summary", json::array{}},
                               {"encrypted_content", reasoning.at("encrypted_content")}},
                              {{"type", "message"},
                               {"role", "assistant"},
                               {"content", {{{"type", "output_text"}, {"text", "Let me see."}}}}},
                              {{"role", "user"}, {"content", "Go on."}}}}};
  ASSERT_EQ(server.connect().ask("POST", "/v1/responses", json::serialize(next)).status, 200);
  EXPECT_EQ(json::serialize(server.script.last_chat.messages.at(1)),
            R"({"role":"assistant","content":"Let me see.","reasoning_content":"hm"})");
}

TEST(OpenAiApi, TellsCodexThatItHasNoModelOfItsList) {
  TestServer server;
  TestClient client = server.connect();
  EXPECT_FALSE(client.ask("GET", "/v1/models").json().as_object().contains("models"));
  const auto list = client.ask("GET", "/v1/models?client_version=0.99.0").json();
  EXPECT_TRUE(list.at("models").as_array().empty());
  EXPECT_FALSE(list.at("data").as_array().empty());
}

// Comments are no events to Codex, which waits for one for a few minutes only.
TEST(Responses, AnEventComesWhileARequestWaits) {
  TestServer server({.limits = {.keep_alive_every = std::chrono::milliseconds(20)}});
  server.script.hold(true);
  TestClient client = server.connect();
  client.send("POST", "/v1/responses", R"({"input":"Hi","stream":true})");
  ASSERT_EQ(client.read_head().status, 200);
  EXPECT_TRUE(client.read_chunk().starts_with("event: response.created\n"));
  EXPECT_TRUE(client.read_chunk().starts_with("event: response.in_progress\n"));
}

TEST(Responses, AFailureEndsTheStream) {
  TestServer server;
  const auto events = read_events(
      server.connect().ask("POST", "/v1/responses", R"({"input":"fail","stream":true})").body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type(), "response.failed");
  EXPECT_EQ(events.back().data.at("response").at("error").at("message"), "the device is on fire");
}

}  // namespace
}  // namespace drystone

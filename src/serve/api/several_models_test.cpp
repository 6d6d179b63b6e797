// One server, several models that come and go.
#include "serve/api/test_events.h"
#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace json = boost::json;

class SeveralModelsTest : public testing::Test {
 protected:
  SeveralModelsTest() {
    other_script.answer = "other";
    CHECK(models().add({"other", "second"}).has_value());
    models().set_ready("other", std::make_shared<ScriptedModel>(other_script));
  }
  ~SeveralModelsTest() override { other_script.hold(false); }

  ModelHost& models() { return server.server().models(); }
  static std::string chat(const std::string& model, const std::string& more = "") {
    return chat_body("Hi", R"("model":")" + model + "\"" + (more.empty() ? "" : "," + more));
  }
  TestReply ask(const std::string& target, const std::string& body) {
    return server.connect().ask("POST", target, body);
  }
  std::vector<std::string> listed(const std::string& target, const char* field, const char* name) {
    std::vector<std::string> out;
    const json::value reply = server.connect().ask("GET", target).json();
    for (const auto& one : reply.at(field).as_array()) out.emplace_back(one.at(name).as_string());
    return out;
  }

  ScriptedModel::Script other_script;  // outlives its model
  TestServer server;
};

TEST_F(SeveralModelsTest, RequestsFindTheirModelByName) {
  auto reply = ask("/v1/chat/completions", chat("second"));
  EXPECT_EQ(reply.json().at("choices").at(0).at("message").at("content"), "other") << reply.body;
  EXPECT_EQ(reply.json().at("model"), "other");
  reply = ask("/v1/chat/completions", chat("alias"));
  EXPECT_EQ(reply.json().at("choices").at(0).at("message").at("content"), "ok:Hi");
  EXPECT_EQ(reply.json().at("model"), "scripted");
  reply = ask("/v1/completions", R"({"prompt":"Hi","model":"other"})");
  EXPECT_EQ(reply.json().at("choices").at(0).at("text"), "other") << reply.body;
  reply = ask("/v1/responses", R"({"input":"Hi","model":"other"})");
  EXPECT_EQ(reply.json().at("model"), "other") << reply.body;
  reply = ask("/api/generate", R"({"prompt":"Hi","model":"other:latest","stream":false})");
  EXPECT_EQ(reply.json().at("response"), "other") << reply.body;
  reply = ask("/v1/messages",
              R"({"model":"other","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(reply.json().at("content").at(0).at("text"), "other") << reply.body;
  EXPECT_EQ(ask("/v1/embeddings", R"({"input":"Hi","model":"other"})").json().at("model"), "other");
  EXPECT_EQ(ask("/tokenize", R"({"prompt":"Hi","model":"other"})").status, 200);
}

TEST_F(SeveralModelsTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  for (const char* target : {"/v1/chat/completions", "/api/chat"}) {
    const auto reply = ask(target, chat("nobody"));
    EXPECT_EQ(reply.status, 404) << reply.body;
    for (const char* name : {"nobody", "scripted", "other", "second"})
      EXPECT_NE(reply.body.find(name), std::string::npos) << reply.body;
  }
  const auto reply = ask("/v1/chat/completions", chat_body("Hi"));
  EXPECT_EQ(reply.status, 400) << "which one? " << reply.body;
  EXPECT_NE(reply.body.find("other"), std::string::npos) << reply.body;
}

TEST_F(SeveralModelsTest, ListsNameAllModels) {
  CHECK(models().add({"third"}).has_value());
  models().set_progress("third", 0.25);
  EXPECT_EQ(listed("/v1/models", "data", "id"),
            (std::vector<std::string>{"scripted", "alias", "other", "second", "third"}));
  const auto models_reply = server.connect().ask("GET", "/v1/models").json();
  EXPECT_EQ(models_reply.at("data").at(4).at("status").at("progress"), 0.25);
  EXPECT_EQ(listed("/api/tags", "models", "name"),
            (std::vector<std::string>{"scripted", "alias", "other", "second"}));
  EXPECT_EQ(listed("/api/ps", "models", "name"), (std::vector<std::string>{"scripted", "other"}));
  EXPECT_EQ(server.connect().ask("GET", "/v1/models/second").status, 200);
}

TEST_F(SeveralModelsTest, OneThatLoadsOrFailedSaysSo) {
  CHECK(models().add({"third"}).has_value());
  EXPECT_EQ(error_code_of(ask("/v1/chat/completions", chat("third"))), "model_loading");
  EXPECT_EQ(ask("/v1/chat/completions", chat("other")).status, 200);
  EXPECT_EQ(server.connect().ask("GET", "/health").status, 200);
  models().set_failed("third", Error(Errc::corrupt, "no such tensor"));
  const auto reply = ask("/v1/chat/completions", chat("third"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("no such tensor"), std::string::npos) << reply.body;
  EXPECT_TRUE(models().add({"fourth", "alias"}).is(Errc::invalid_argument));
}

TEST_F(SeveralModelsTest, RemovingOneEndsItsAnswersAndNoOthers) {
  other_script.hold(true);
  TestClient client = server.connect();
  client.send("POST", "/v1/chat/completions", chat("other", R"("stream":true)"));
  ASSERT_TRUE(other_script.wait_for([](auto& script) { return !script.started.empty(); }));
  EXPECT_TRUE(models().remove("other"));
  EXPECT_FALSE(models().remove("other"));
  const auto reply = client.read();
  EXPECT_NE(reply.body.find("model_unloaded"), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("was unloaded"), std::string::npos) << reply.body;
  EXPECT_EQ(ask("/v1/chat/completions", chat("other")).status, 404);
  EXPECT_EQ(ask("/v1/chat/completions", chat_body("Hi")).status, 200) << "there is one again";

  // And it comes back.
  other_script.hold(false);
  CHECK(models().add({"other"}).has_value());
  models().set_ready("other", std::make_shared<ScriptedModel>(other_script));
  EXPECT_EQ(ask("/v1/chat/completions", chat("other")).status, 200);
}

// A node of a cluster is well before anybody has loaded anything.
TEST(SeveralModels, AServerMayHaveNone) {
  const SystemClock clock;
  auto server = *Server::listen({.needs_model = false, .endpoints = all_dialects()}, clock);
  std::thread thread([&] { server->run(); });
  const std::string url = server->url();
  TestClient client(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  EXPECT_EQ(client.ask("GET", "/health").status, 200);
  EXPECT_EQ(client.ask("GET", "/v1/models").body, R"({"object":"list","data":[]})");
  const auto reply = client.ask("POST", "/v1/chat/completions", chat_body("Hi"));
  EXPECT_EQ(reply.status, 404) << reply.body;
  EXPECT_NE(reply.body.find("drystone load"), std::string::npos) << reply.body;
  server->stop();
  thread.join();
}

// The thread that lets go of a model may be the model's own.
TEST(ModelHost, AModelEndsOnAThreadOfTheHost) {
  struct Counted final : ScriptedModel {
    Counted(Script& script, std::thread::id& where) : ScriptedModel(script), ended_on(where) {}
    ~Counted() override { ended_on = std::this_thread::get_id(); }
    std::thread::id& ended_on;
  };
  const SystemClock clock;
  ScriptedModel::Script script;
  std::thread::id ended_on;
  {
    ModelHost host(clock);
    ASSERT_TRUE(host.add({"a"}));
    host.set_ready("a", std::make_shared<Counted>(script, ended_on));
    auto held = host.find("");
    ASSERT_TRUE(held);
    EXPECT_FALSE(held->gone());
    EXPECT_TRUE(host.remove("a"));
    EXPECT_EQ(held->gone()->code, "model_unloaded");
    EXPECT_EQ(ended_on, std::thread::id()) << "somebody holds it";
  }
  EXPECT_NE(ended_on, std::thread::id());
  EXPECT_NE(ended_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace drystone

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "compute/cpu/cpu_device.h"
#include "engine/constraint/constraint.h"
#include "serve/api/dialects.h"
#include "serve/engine_model.h"
#include "serve/http/server.h"
#include "serve/http/test_client.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";
constexpr char kFirst = 'h';  // of several tokens of two letters

// 300 rules that begin alike, and behind them one for each letter, which are given up when all are
// followed at once.
std::string ambiguous_grammar() {
  std::string root = "root ::= r0", rules;
  for (int i = 0; i < 300; ++i) {
    if (i > 0) root += fmt::format(" | r{}", i);
    rules += fmt::format(
        "\nr{0} ::= \"{1}\" p{0} | \"{1}\" q{0}\np{0} ::= \"{0:03}\" p{0} | \".\"\n"
        "q{0} ::= \"-{0:03}\" q{0} | \"!\"",
        i, kFirst);
  }
  for (char c = 'a'; c <= 'z'; ++c) {
    root += fmt::format(" | s-{}", c);
    rules += fmt::format("\ns-{1} ::= \"{0}\" t-{1}\nt-{1} ::= \"{1}\" t-{1} | \".\"", kFirst, c);
  }
  return root + rules;
}

// A token that the mask allows and accept() refuses.
std::optional<TokenId> torn_token(Engine& engine, const std::string& grammar) {
  const auto vocabulary = engine.vocabulary();
  const auto constraint =
      compile({.kind = ConstraintSpec::Kind::gbnf, .text = grammar}, vocabulary);
  EXPECT_TRUE(constraint) << constraint.error().message();
  if (!constraint) return std::nullopt;
  const ConstraintState start(*constraint);
  std::vector<std::uint64_t> mask(vocabulary->mask_words());
  EXPECT_TRUE(start.fill_mask(mask));
  for (TokenId id = 0; id < static_cast<TokenId>(vocabulary->size()); ++id) {
    const auto at = static_cast<std::size_t>(id);
    if ((mask[at / 64] >> (at % 64) & 1) == 0) continue;
    ConstraintState tried = start;
    if (!tried.accept(id)) return id;
  }
  return std::nullopt;
}

// A client that picks the tokens by their bias can come to every place that a grammar has. One
// where mask and parse disagree once ended the process; it must end that request alone.
TEST(AmbiguousGrammar, EndsItsRequestAndNotTheServer) {
  if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const auto engine = Engine::load(*GgufFile::open(kStories), *device,
                                   {.context = 256, .sequences_max = 2, .queue_max = 4});
  ASSERT_TRUE(engine) << engine.error().message();
  const std::string grammar = ambiguous_grammar();
  const auto token = torn_token(**engine, grammar);
  ASSERT_TRUE(token) << "the grammar is not ambiguous enough any more to test anything";

  const SystemClock clock;
  auto server = Server::listen({.model_names = {"stories"}, .endpoints = all_dialects()}, clock);
  ASSERT_TRUE(server);
  (*server)->set_model(make_engine_model(**engine, clock));
  std::thread thread([&] { (*server)->run(); });
  const std::string url = (*server)->url();
  TestClient client(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  const auto ask = [&](boost::json::object more) {
    boost::json::object body = {{"prompt", "Once"}, {"max_tokens", 4}, {"temperature", 0}};
    for (auto& [name, value] : more) body[name] = value;
    return client.ask("POST", "/v1/completions", boost::json::serialize(body));
  };
  const boost::json::object torn = {{"grammar", grammar},
                                    {"logit_bias", {{std::to_string(*token), 100}}}};

  const TestReply refused = ask(torn);
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_NE(refused.body.find("too many ways"), std::string::npos) << refused.body;
  boost::json::object streamed = torn;
  streamed["stream"] = true;
  const TestReply events = ask(streamed);
  EXPECT_NE(events.body.find("too many ways"), std::string::npos) << events.body;
  EXPECT_EQ(ask({}).status, 200) << "the next request is served";

  (*server)->stop();
  thread.join();
}

}  // namespace
}  // namespace drystone

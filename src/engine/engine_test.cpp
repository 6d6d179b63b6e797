#include "engine/engine.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "compute/cpu/cpu_device.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";

// A trained model on the plainest arithmetic, with whatever the test wants to vary.
struct Loaded {
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> engine;
};

struct LoadOptions {
  Isa isa = Isa::portable;
  int threads = 2;
  EngineOptions engine = {};
};

Loaded load_stories(const LoadOptions& options = {}) {
  Loaded loaded{.device = make_cpu_device(options.isa, options.threads)};
  auto file = GgufFile::open(kStories);
  EXPECT_TRUE(file) << file.error().message();
  auto engine = Engine::load(*std::move(file), *loaded.device, options.engine);
  EXPECT_TRUE(engine) << engine.error().message();
  loaded.engine = *std::move(engine);
  return loaded;
}

std::vector<TokenId> prompt_of(const Engine& engine, std::string_view text) {
  return engine.tokenizer().encode(text, {.add_special = true});
}

GenerateRequest greedy(std::vector<TokenId> prompt, std::uint32_t tokens_max) {
  return {.prompt = std::move(prompt), .tokens_max = tokens_max, .sampling = {.temperature = 0}};
}

struct Answer {
  GenerateResult result;
  std::string text;
  std::vector<TokenId> ids;
  int deltas = 0;
};

Answer generate(Engine& engine, const GenerateRequest& request, std::stop_token stop = {}) {
  Answer answer;
  const auto result = engine.generate(
      request,
      [&](const Delta& delta) {
        answer.text += delta.text;
        for (const Sampled& token : delta.tokens) answer.ids.push_back(token.id);
        ++answer.deltas;
      },
      stop);
  EXPECT_TRUE(result) << result.error().message();
  answer.result = *result;
  return answer;
}

std::vector<float> all_logits(Engine& engine, std::span<const TokenId> ids) {
  std::vector<float> rows;
  const auto result = engine.logits(ids, [&](std::span<const float> chunk) {
    rows.insert(rows.end(), chunk.begin(), chunk.end());
    return Result<void>{};
  });
  EXPECT_TRUE(result) << result.error().message();
  return rows;
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  }
};

constexpr std::string_view kOpening = "Once upon a time";
constexpr std::string_view kContinuation =
    ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw "
    "a big, red ball.";

// The whole path, file to text, against what the model's makers published.
TEST_F(EngineTest, TrainedModelTellsItsStory) {
  for (const Isa isa : testable_isas()) {
    Loaded loaded = load_stories({.isa = isa});
    const Answer answer = generate(*loaded.engine, greedy(prompt_of(*loaded.engine, kOpening), 60));
    EXPECT_EQ(answer.text.substr(0, kContinuation.size()), kContinuation) << to_string(isa);
  }
}

// Token by token or in one go, alone or on many threads: a request's bits are its own (design.md,
// decision 12).
TEST_F(EngineTest, LogitsDoNotDependOnThreadsOrChunks) {
  for (const Isa isa : testable_isas()) {
    std::vector<float> reference;
    for (const auto& [threads, chunk] : {std::pair{1, 512u}, {1, 1u}, {2, 7u}, {8, 12u}}) {
      Loaded loaded =
          load_stories({.isa = isa, .threads = threads, .engine = {.batch_tokens_max = chunk}});
      const auto ids =
          prompt_of(*loaded.engine, std::string(kOpening) + std::string(kContinuation));
      const std::vector<float> rows = all_logits(*loaded.engine, ids);
      ASSERT_EQ(rows.size(), ids.size() * loaded.engine->vocab());
      if (reference.empty()) reference = rows;
      EXPECT_EQ(rows, reference) << to_string(isa) << ", " << threads << " threads, chunks of "
                                 << chunk;
    }
  }
}

// A cached beginning must not change an answer.
TEST_F(EngineTest, ReusedPrefixGivesTheSameAnswer) {
  Loaded fresh = load_stories(), used = load_stories();
  const auto first = prompt_of(*used.engine, "Once upon a time, there was a cat");
  const auto second = prompt_of(*used.engine, "Once upon a time, there was a dog named");
  const Answer expected = generate(*fresh.engine, greedy(second, 40));

  generate(*used.engine, greedy(first, 40));
  EXPECT_EQ(generate(*used.engine, greedy(second, 40)).ids, expected.ids);
  EXPECT_EQ(generate(*used.engine, greedy(second, 40)).ids, expected.ids);
}

// An answer that is fed back as prompt is computed as prompt: reusing its generated rows would
// change bits.
TEST_F(EngineTest, GeneratedRowsAreNotReusedAsPrompt) {
  Loaded fresh = load_stories(), used = load_stories();
  auto prompt = prompt_of(*used.engine, kOpening);
  const Answer first = generate(*used.engine, greedy(prompt, 20));
  prompt.insert(prompt.end(), first.ids.begin(), first.ids.end());
  EXPECT_EQ(generate(*used.engine, greedy(prompt, 40)).ids,
            generate(*fresh.engine, greedy(prompt, 40)).ids);
}

// Clients bill and cut by these figures.
TEST_F(EngineTest, CountsTokensAndStopsAtTheLimit) {
  Loaded loaded = load_stories();
  const auto prompt = prompt_of(*loaded.engine, kOpening);
  const Answer answer = generate(*loaded.engine, greedy(prompt, 7));
  EXPECT_EQ(answer.result.finish, FinishReason::length);
  EXPECT_EQ(answer.result.prompt_tokens, prompt.size());
  EXPECT_EQ(answer.result.completion_tokens, 7u);
  EXPECT_EQ(answer.ids.size(), 7u);
}

// Memory is reserved for the context: an answer ends there instead of overrunning it.
TEST_F(EngineTest, AnswerEndsWithTheContext) {
  Loaded loaded = load_stories({.engine = {.context = 32}});
  const auto prompt = prompt_of(*loaded.engine, kOpening);
  GenerateRequest request = greedy(prompt, 0);
  request.ignore_eos = true;
  const Answer answer = generate(*loaded.engine, request);
  EXPECT_EQ(answer.result.finish, FinishReason::length);
  EXPECT_EQ(answer.result.prompt_tokens + answer.result.completion_tokens, 32u);
}

TEST_F(EngineTest, StopStringEndsTheAnswerBeforeIt) {
  Loaded loaded = load_stories();
  GenerateRequest request = greedy(prompt_of(*loaded.engine, kOpening), 60);
  request.stop = {"never said", "named Lily"};
  const Answer answer = generate(*loaded.engine, request);
  EXPECT_EQ(answer.result.finish, FinishReason::stop);
  EXPECT_EQ(answer.text, ", there was a little girl ");
}

// A client that leaves must not keep the machine busy.
TEST_F(EngineTest, CancelledRequestEndsWithinOneStep) {
  Loaded loaded = load_stories();
  std::stop_source source;
  GenerateRequest request = greedy(prompt_of(*loaded.engine, kOpening), 0);
  int deltas = 0;
  const auto result = loaded.engine->generate(
      request,
      [&](const Delta&) {
        if (++deltas == 5) source.request_stop();
      },
      source.get_token());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->finish, FinishReason::cancelled);
  EXPECT_EQ(deltas, 5);
}

// The error must give both figures: the caller can then shorten, or load with more context.
TEST_F(EngineTest, RefusesWhatItCannotHold) {
  Loaded loaded = load_stories({.engine = {.context = 16}});
  const auto run = [&](std::vector<TokenId> prompt) {
    return loaded.engine->generate(greedy(std::move(prompt), 1), [](const Delta&) {}, {});
  };
  const auto too_long = run(std::vector<TokenId>(20, 5));
  ASSERT_TRUE(too_long.is(Errc::limit));
  EXPECT_NE(too_long.error().message().find("20"), std::string::npos);
  EXPECT_NE(too_long.error().message().find("16"), std::string::npos);
  EXPECT_TRUE(run({}).is(Errc::invalid_argument));
  EXPECT_TRUE(run({1, 512}).is(Errc::invalid_argument));
  EXPECT_TRUE(run({1, -1}).is(Errc::invalid_argument));
}

}  // namespace
}  // namespace drystone

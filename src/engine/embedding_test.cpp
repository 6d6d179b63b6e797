// Requests for a vector of a text, which share the batcher's steps with those that write.
#include <gtest/gtest.h>

#include <filesystem>

#include "compute/cpu/cpu_device.h"
#include "engine/batcher.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";
constexpr std::uint32_t kPageTokens = 64;

struct LoadOptions {
  Isa isa = *choose_isa("");  // the fastest
  std::uint32_t kv_tokens = 16 * 512, sequences_max = 16, batch_tokens_max = 128;
};

// Requests of one engine, all in its batcher at once.
class Crowd {
 public:
  explicit Crowd(const LoadOptions& options) : device_(make_cpu_device(options.isa, 1)) {
    auto engine = Engine::load(*GgufFile::open(kStories), *device_,
                               {.context = 512,
                                .kv_tokens = options.kv_tokens,
                                .sequences_max = options.sequences_max,
                                .queue_max = 64,
                                .batch_tokens_max = options.batch_tokens_max});
    CHECK(engine, engine.error().message());
    engine_ = *std::move(engine);
  }

  using Answer = std::optional<Result<GenerateResult>>;
  Result<std::uint64_t> submit(GenerateRequest request) {
    Answer& answer = *answers.emplace_back(std::make_unique<Answer>());
    return batcher().submit(
        {.request = std::move(request),
         .on_delta = [](const Delta&) {},
         .on_done = [&answer](Result<GenerateResult> result) { answer = std::move(result); }});
  }
  std::uint64_t add(GenerateRequest request) {
    const auto id = submit(std::move(request));
    CHECK(id, id.error().message());
    return *id;
  }
  void run() {
    while (batcher().step()) {
    }
  }
  const GenerateResult& result(std::size_t i) const { return ***answers.at(i); }
  Engine& engine() { return *engine_; }
  Batcher& batcher() { return engine_->batcher(); }

  std::vector<std::unique_ptr<Answer>> answers;

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
};

std::vector<TokenId> text(int number, std::size_t tokens) {
  std::vector<TokenId> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i)
    ids[i] = static_cast<TokenId>((i * 31 + static_cast<std::size_t>(number) * 7) % 500 + 3);
  return ids;
}

GenerateRequest vector_of(int number, std::size_t tokens, Pooling pooling) {
  return {.prompt = text(number, tokens), .pooling = pooling};
}

std::vector<float> alone(const LoadOptions& options, const GenerateRequest& request) {
  Crowd crowd(options);
  crowd.add(request);
  crowd.run();
  return crowd.result(0).hidden;
}

class EmbeddingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  }
};

constexpr Pooling kBoth[] = {Pooling::mean, Pooling::last};

// An index made on a busy server must be searchable from an idle one: the same text, the same bits.
TEST_F(EmbeddingTest, SameBitsAloneInAnyChunksAndAmongOthers) {
  for (const Isa isa : testable_isas()) {
    Crowd crowd({.isa = isa, .batch_tokens_max = 50});
    for (int i = 0; i < 6; ++i)
      crowd.add(vector_of(i, static_cast<std::size_t>(20 + 60 * i), kBoth[i % 2]));
    for (int i = 0; i < 3; ++i)
      crowd.add({.prompt = text(i, 30), .tokens_max = 20, .ignore_eos = true});
    crowd.run();
    for (int i = 0; i < 6; ++i) {
      const auto request = vector_of(i, static_cast<std::size_t>(20 + 60 * i), kBoth[i % 2]);
      const GenerateResult& result = crowd.result(static_cast<std::size_t>(i));
      EXPECT_EQ(result.finish, FinishReason::stop);
      EXPECT_EQ(result.prompt_tokens, request.prompt.size());
      EXPECT_EQ(result.completion_tokens, 0u);
      ASSERT_EQ(result.hidden.size(), crowd.engine().width());
      EXPECT_EQ(result.hidden, alone({.isa = isa}, request)) << to_string(isa) << ", text " << i;
    }
    EXPECT_EQ(crowd.batcher().counts().pages_in_use, 0u);
  }
}

// The last token's state can come on top of a known beginning; a mean needs every row.
TEST_F(EmbeddingTest, KnownBeginningsServeTheLastTokenOnly) {
  for (const Pooling pooling : kBoth) {
    Crowd crowd({});
    const GenerateRequest request = vector_of(1, 3 * kPageTokens, pooling);
    crowd.add(request);
    crowd.run();
    crowd.add(request);
    crowd.add(request);  // at the same moment
    crowd.run();
    for (const std::size_t i : {1u, 2u}) {
      EXPECT_EQ(crowd.result(i).cached_tokens, pooling == Pooling::last ? 2 * kPageTokens : 0);
      EXPECT_EQ(crowd.result(i).hidden, crowd.result(0).hidden);
    }
  }
}

// What was summed before is computed again, and must not count twice.
TEST_F(EmbeddingTest, SameBitsWhenPreempted) {
  for (const Pooling pooling : kBoth) {
    const LoadOptions options{.sequences_max = 1, .batch_tokens_max = 40};
    Crowd crowd(options);
    GenerateRequest request = vector_of(1, 300, pooling);
    request.priority = 1;
    crowd.add(request);
    for (int i = 0; i < 3; ++i) crowd.batcher().step();  // within the text
    crowd.add(vector_of(2, 20, pooling));
    crowd.run();
    EXPECT_EQ(crowd.batcher().counts().preemptions, 1u);
    EXPECT_EQ(crowd.result(0).hidden, alone(options, request));
  }
}

TEST_F(EmbeddingTest, ATextMayFillTheContextAndNoMore) {
  Crowd crowd({.kv_tokens = 512});
  const auto refused = crowd.submit(vector_of(1, 513, Pooling::last));
  ASSERT_TRUE(refused.is(Errc::limit));
  EXPECT_NE(refused.error().message().find("513 tokens"), std::string::npos);
  EXPECT_NE(refused.error().message().find("512"), std::string::npos);
  crowd.add(vector_of(1, 512, Pooling::last));
  crowd.run();
  EXPECT_EQ(crowd.result(1).hidden.size(), crowd.engine().width());
  EXPECT_TRUE(crowd.submit(vector_of(1, 0, Pooling::last)).is(Errc::invalid_argument));
}

// Long texts are read in steps of bounded size, so a chat beside them goes on.
TEST_F(EmbeddingTest, AnswersGoOnBesideLongTexts) {
  Crowd crowd({.batch_tokens_max = 64});
  crowd.add({.prompt = text(1, 5), .tokens_max = 4, .ignore_eos = true});
  for (int i = 0; i < 8; ++i) crowd.add(vector_of(i, 500, Pooling::mean));
  std::size_t steps = 0;
  while (!crowd.answers[0]->has_value() && crowd.batcher().step()) ++steps;
  EXPECT_LE(steps, 5u);
  crowd.run();
}

// Whoever chats must not wait for somebody's index: neither for a place nor for pages.
TEST_F(EmbeddingTest, WhatMattersMoreTakesThePagesOfLongTexts) {
  Crowd crowd({.kv_tokens = 512, .sequences_max = 4, .batch_tokens_max = 32});
  GenerateRequest request = vector_of(1, 400, Pooling::mean);
  request.priority = 1;
  crowd.add(request);
  for (int i = 0; i < 3; ++i) crowd.batcher().step();
  crowd.add({.prompt = text(2, 100), .tokens_max = 4, .ignore_eos = true});
  std::size_t steps = 0;
  while (!crowd.answers[1]->has_value() && crowd.batcher().step()) ++steps;
  EXPECT_LE(steps, 8u);
  EXPECT_FALSE(crowd.answers[0]->has_value());
  crowd.run();
  EXPECT_EQ(crowd.batcher().counts().preemptions, 1u);
  EXPECT_EQ(crowd.result(0).hidden, alone({}, request));
}

TEST_F(EmbeddingTest, CancelledWithinAStepAndPagesAreBack) {
  Crowd crowd({.sequences_max = 1, .batch_tokens_max = 32});
  const auto runs = crowd.add(vector_of(1, 500, Pooling::mean));
  const auto waits = crowd.add(vector_of(2, 500, Pooling::last));
  crowd.batcher().step();
  crowd.batcher().cancel(waits);
  crowd.batcher().cancel(runs);
  crowd.batcher().step();
  for (const std::size_t i : {0u, 1u}) {
    ASSERT_TRUE(crowd.answers[i]->has_value());
    EXPECT_EQ(crowd.result(i).finish, FinishReason::cancelled);
    EXPECT_TRUE(crowd.result(i).hidden.empty());
  }
  EXPECT_EQ(crowd.batcher().counts().pages_in_use, 0u);
}

}  // namespace
}  // namespace drystone

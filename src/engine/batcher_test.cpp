#include "engine/batcher.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <stop_token>
#include <thread>

#include "base/rng.h"
#include "compute/cpu/cpu_device.h"
#include "engine/constraint/vocabulary.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";
constexpr std::uint32_t kPageTokens = 64;

struct Loaded {
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> engine;
  Batcher& batcher() { return engine->batcher(); }
};

struct LoadOptions {
  Isa isa = *choose_isa("");  // the fastest
  std::uint32_t kv_tokens = 16 * 512, sequences_max = 16;
  KvType kv_type = KvType::f16;
  std::uint32_t batch_tokens_max = 128;
  bool speculate = true;
  Bytes kv_disk_bytes = 0;
};

Loaded load(const LoadOptions& options = {}) {
  Loaded loaded{.device = make_cpu_device(options.isa, 1)};
  auto engine = Engine::load(*GgufFile::open(kStories), *loaded.device,
                             {.context = 512,
                              .kv_tokens = options.kv_tokens,
                              .sequences_max = options.sequences_max,
                              .queue_max = 64,
                              .speculate = options.speculate,
                              .kv_type = options.kv_type,
                              .kv_disk_folder = testing::TempDir(),
                              .kv_disk_bytes = options.kv_disk_bytes,
                              .batch_tokens_max = options.batch_tokens_max});
  EXPECT_TRUE(engine) << engine.error().message();
  loaded.engine = *std::move(engine);
  return loaded;
}

// Prompts of different lengths that begin alike, sampled with seeds of their own.
GenerateRequest request_of(const Engine& engine, int number, std::uint32_t tokens_max = 60) {
  static constexpr std::string_view kWords[] = {"cat", "dog", "girl", "tree", "boat", "king"};
  std::string text = "Once upon a time there was a";
  for (int i = 0; i < number * 5 % 97 + 1; ++i)
    text += " " + std::string(kWords[static_cast<std::size_t>(number * 7 + i) % 6]);
  return {.prompt = engine.tokenizer().encode(text, {.add_special = true}),
          .tokens_max = tokens_max,
          .sampling = {.temperature = 0.9f, .seed = static_cast<std::uint64_t>(number)},
          .ignore_eos = true};
}

struct Answer {
  std::uint64_t id = 0;
  std::vector<TokenId> ids;
  std::optional<Result<GenerateResult>> result;
};

// Answers to `requests`, all in the batcher at once.
struct Crowd {
  explicit Crowd(Loaded& loaded) : batcher(loaded.batcher()) {}
  Answer& add(GenerateRequest request, std::string client = "") {
    Answer& answer = *answers.emplace_back(std::make_unique<Answer>());
    auto id = batcher.submit(
        {.client = std::move(client),
         .request = std::move(request),
         .on_delta =
             [&answer](const Delta& delta) {
               for (const Sampled& token : delta.tokens) answer.ids.push_back(token.id);
             },
         .on_done = [&answer](Result<GenerateResult> result) { answer.result = result; }});
    EXPECT_TRUE(id) << id.error().message();
    answer.id = *id;
    return answer;
  }
  void run() {
    while (batcher.step()) {
    }
  }
  Batcher& batcher;
  std::vector<std::unique_ptr<Answer>> answers;
};

std::vector<TokenId> alone(const LoadOptions& options, const GenerateRequest& request) {
  Loaded loaded = load(options);
  Crowd crowd(loaded);
  const Answer& answer = crowd.add(request);
  crowd.run();
  return answer.ids;
}

class BatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  }
};

// The promise of design.md, decision 12: company, caches and their kinds change nothing.
TEST_F(BatcherTest, SameTextAloneAndAmongSixteen) {
  for (const Isa isa : testable_isas())
    for (const KvType kv : {KvType::f16, KvType::f32}) {
      const LoadOptions options{.isa = isa, .kv_type = kv};
      Loaded loaded = load(options);
      Crowd crowd(loaded);
      for (int i = 0; i < 16; ++i) crowd.add(request_of(*loaded.engine, i, 20 + 3 * i));
      crowd.run();
      for (int i = 0; i < 16; i += 5) {
        const GenerateRequest request = request_of(*loaded.engine, i, 20 + 3 * i);
        const Answer& answer = *crowd.answers[static_cast<std::size_t>(i)];
        ASSERT_TRUE(answer.result && *answer.result);
        EXPECT_EQ((*answer.result)->completion_tokens, request.tokens_max);
        EXPECT_EQ(answer.ids, alone(options, request)) << to_string(isa) << ", request " << i;
      }
      EXPECT_EQ(loaded.batcher().counts().pages_in_use, 0u);
    }
}

// A conversation that goes on: its prompt holds the answers before it.
TEST_F(BatcherTest, SameTextFromAWarmCache) {
  for (const Isa isa : testable_isas()) {
    const LoadOptions options{.isa = isa};
    Loaded loaded = load(options);
    GenerateRequest request = request_of(*loaded.engine, 90, 150);
    for (int turn = 0; turn < 2; ++turn) {
      Crowd crowd(loaded);
      const Answer& answer = crowd.add(request);
      crowd.run();
      ASSERT_TRUE(answer.result && *answer.result);
      EXPECT_EQ(answer.ids, alone(options, request)) << to_string(isa) << ", turn " << turn;
      const std::uint32_t cached = (*answer.result)->cached_tokens;
      // The answer's pages serve too where both kinds of rows have the same bits.
      if (turn == 0 || (isa != Isa::amx && isa != Isa::amx_emulated)) {
        EXPECT_EQ(cached, turn == 0 ? 0 : (request.prompt.size() - 1) / kPageTokens * kPageTokens);
      }
      request.prompt.insert(request.prompt.end(), answer.ids.begin(), answer.ids.end());
      request.tokens_max = 40;
    }
  }
}

// Out of pages: somebody waits and is computed again, and nobody can tell.
TEST_F(BatcherTest, SameTextWhenPreempted) {
  for (const Isa isa : testable_isas()) {
    const LoadOptions options{.isa = isa, .kv_tokens = 512, .sequences_max = 8};
    Loaded loaded = load(options);
    Crowd crowd(loaded);
    for (int i = 0; i < 6; ++i) crowd.add(request_of(*loaded.engine, i, 130));
    crowd.run();
    EXPECT_GT(loaded.batcher().counts().preemptions, 0u);
    EXPECT_EQ(loaded.batcher().counts().pages_in_use, 0u);
    for (int i = 0; i < 6; i += 2)
      EXPECT_EQ(crowd.answers[static_cast<std::size_t>(i)]->ids,
                alone(options, request_of(*loaded.engine, i, 130)))
          << to_string(isa) << ", request " << i;
  }
}

// Pages that went to the disk and came back: the same bits, in a conversation that goes on, and
// when somebody is preempted.
TEST_F(BatcherTest, SameTextFromTheSecondTier) {
  for (const Isa isa : testable_isas()) {
    const LoadOptions options{.isa = isa, .kv_tokens = 512, .sequences_max = 8};
    LoadOptions with_tier = options;
    with_tier.kv_disk_bytes = 64 * kMiB;
    Loaded loaded = load(with_tier);
    const GenerateRequest request = request_of(*loaded.engine, 90, 40);
    const std::vector<TokenId> expected = alone(options, request);
    for (int turn = 0; turn < 2; ++turn) {
      Crowd crowd(loaded);
      const Answer& answer = crowd.add(request);
      crowd.run();
      ASSERT_TRUE(answer.result && *answer.result);
      EXPECT_EQ(answer.ids, expected) << to_string(isa) << ", turn " << turn;
      EXPECT_EQ((*answer.result)->cached_tokens > 0, turn == 1) << to_string(isa);
      if (turn == 1) break;
      Crowd others(loaded);  // push it out, and each other
      for (int i = 0; i < 6; ++i) others.add(request_of(*loaded.engine, i, 130));
      others.run();
      for (int i = 0; i < 6; i += 3)
        EXPECT_EQ(others.answers[static_cast<std::size_t>(i)]->ids,
                  alone(options, request_of(*loaded.engine, i, 130)))
            << to_string(isa) << ", request " << i;
    }
    const BatcherCounts counts = loaded.batcher().counts();
    ASSERT_TRUE(counts.tier);
    EXPECT_GT(counts.preemptions, 0u);
    EXPECT_GT(counts.tier->restored, 0u) << to_string(isa);
    EXPECT_EQ(counts.tier->failed, 0u);
    EXPECT_EQ(counts.pages_in_use, 0u);
  }
}

// One prompt of seven pages; the cache has sixteen.
TEST_F(BatcherTest, APushedOutPromptIsCachedAgain) {
  Loaded loaded = load({.kv_tokens = 1024, .kv_disk_bytes = 64 * kMiB});
  GenerateRequest request = request_of(*loaded.engine, 90, 1);
  request.prompt.resize(400, 7);
  for (const int tenant : {0, 1, 2, 0}) {
    const bool again = loaded.batcher().counts().prompt_tokens == 1200;
    request.cache_salt = std::to_string(tenant);
    Crowd crowd(loaded);
    const Answer& answer = crowd.add(request);
    crowd.run();
    EXPECT_EQ((*answer.result)->cached_tokens, again ? 384u : 0u);
    EXPECT_EQ(loaded.batcher().counts().cached_tokens, again ? 384u : 0u);
  }
}

// What goes next is stored while nobody waits, so that it goes without a wait.
TEST_F(BatcherTest, IdleTimeIsUsedToStoreWhatGoesNext) {
  Loaded loaded = load({.kv_tokens = 2048, .batch_tokens_max = 512, .kv_disk_bytes = 64 * kMiB});
  const auto stored = [&] { return loaded.batcher().counts().tier->slots_in_use; };
  GenerateRequest request = request_of(*loaded.engine, 90, 1);
  request.prompt.resize(500, 7);
  for (const char* tenant : {"0", "1", "2", "3"}) {  // seven full pages of 32 each
    request.cache_salt = tenant;
    Crowd crowd(loaded);
    const Answer& answer = crowd.add(request);
    while (!answer.result) loaded.batcher().step();
  }
  EXPECT_EQ(stored(), 2u) << "a step stores no more";
  std::jthread idle([&](const std::stop_token& stop) { loaded.batcher().wait(stop); });
  while (stored() < 4) std::this_thread::yield();  // all of the eight that go next; four are empty
}

TEST_F(BatcherTest, RefusesATierThatCannotBe) {
  const auto device = make_cpu_device(Isa::portable, 1);
  const auto folder = std::filesystem::path(testing::TempDir()) / "no-such-folder";
  const auto engine = Engine::load(*GgufFile::open(kStories), *device,
                                   {.kv_disk_folder = folder, .kv_disk_bytes = kMiB});
  ASSERT_TRUE(engine.is(Errc::io));
  EXPECT_NE(engine.error().message().find(folder.string()), std::string::npos);
}

// Choices of one prompt, or agents with one system prompt, that come at the same moment.
TEST_F(BatcherTest, RequestsThatComeTogetherShareTheirBeginning) {
  Loaded loaded = load();
  Crowd crowd(loaded);
  GenerateRequest request = request_of(*loaded.engine, 90, 10);
  const auto prompt = static_cast<std::uint32_t>(request.prompt.size());
  ASSERT_GT(prompt, 2 * kPageTokens);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    request.sampling.seed = seed;
    crowd.add(request);
  }
  request.cache_salt = "another tenant";
  crowd.add(request);
  crowd.run();
  const auto cached = [&](std::size_t i) { return (*crowd.answers[i]->result)->cached_tokens; };
  EXPECT_EQ(cached(0), 0u);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(cached(i), prompt / kPageTokens * kPageTokens);
  EXPECT_EQ(cached(4), 0u);
}

// Guessing ahead is for speed only.
TEST_F(BatcherTest, SameTextWithGuessesAndFewerSteps) {
  std::uint64_t steps[2] = {};
  std::vector<TokenId> ids[2];
  for (const bool speculate : {false, true}) {
    Loaded loaded = load({.speculate = speculate});
    Crowd crowd(loaded);
    GenerateRequest request = request_of(*loaded.engine, 3, 300);
    request.sampling.temperature = 0;  // soon repeats itself
    const Answer& greedy = crowd.add(request);
    crowd.run();
    ids[speculate] = greedy.ids;
    request.sampling.temperature = 1.2f;
    const Answer& sampled = crowd.add(request);
    crowd.run();
    ids[speculate].insert(ids[speculate].end(), sampled.ids.begin(), sampled.ids.end());
    steps[speculate] = loaded.batcher().counts().steps;
    EXPECT_EQ(loaded.batcher().counts().right_tokens > 0, speculate);
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_LT(steps[1], steps[0]);
}

// Enforced beside others, with guesses and without, whatever the model would like to say.
TEST_F(BatcherTest, ConstrainedAnswersFollowTheirConstraint) {
  Loaded loaded = load();
  const auto constraint =
      compile({.kind = ConstraintSpec::Kind::regex, .text = "(ab|cd){10,12}(!|\\?)"},
              loaded.engine->vocabulary());
  ASSERT_TRUE(constraint) << constraint.error().message();
  Crowd crowd(loaded);
  for (int i = 0; i < 4; ++i) {
    GenerateRequest request = request_of(*loaded.engine, i, 0);
    request.ignore_eos = false;
    if (i % 2 == 0) request.constraint = *constraint;
    request.sampling.temperature = i == 0 ? 0 : 1;
    crowd.add(request);
  }
  crowd.run();
  for (int i = 0; i < 4; i += 2) {
    const Answer& answer = *crowd.answers[static_cast<std::size_t>(i)];
    EXPECT_EQ((*answer.result)->finish, FinishReason::stop);
    std::string text;
    for (const TokenId id : answer.ids) text += loaded.engine->tokenizer().piece(id, false);
    EXPECT_TRUE(std::regex_match(text, std::regex("(ab|cd){10,12}(!|\\?)"))) << text;
  }
}

// It comes from whoever asks, who may have another model in mind.
TEST_F(BatcherTest, RefusesAConstraintForOtherTokens) {
  Loaded loaded = load();
  GenerateRequest request = request_of(*loaded.engine, 1);
  const auto other =
      ConstraintVocabulary::build({.size = 3,
                                   .bytes = [](TokenId) { return "a"; },
                                   .is_control = [](TokenId) { return false; },
                                   .is_end_of_generation = [](TokenId id) { return id == 2; }});
  request.constraint = *compile({.kind = ConstraintSpec::Kind::regex, .text = "a+"}, other);
  EXPECT_TRUE(loaded.batcher().submit({.request = request}).is(Errc::invalid_argument));
}

TEST_F(BatcherTest, NoEndBeforeTheLeastNumberOfTokens) {
  Loaded loaded = load();
  Crowd crowd(loaded);
  GenerateRequest request = request_of(*loaded.engine, 1, 400);
  request.ignore_eos = false;
  for (TokenId id = 0; id < static_cast<TokenId>(loaded.engine->vocab()); ++id)
    if (loaded.engine->tokenizer().is_end_of_generation(id))
      request.sampling.logit_bias.emplace_back(id, 100.0f);  // it would like to end at once
  for (const std::uint32_t tokens_min : {0u, 25u}) {
    request.tokens_min = tokens_min;
    const Answer& answer = crowd.add(request);
    crowd.run();
    EXPECT_EQ((*answer.result)->finish, FinishReason::stop);
    EXPECT_EQ((*answer.result)->completion_tokens, tokens_min);
  }
}

TEST_F(BatcherTest, WhatMattersMoreGoesFirst) {
  Loaded loaded = load({.sequences_max = 2});
  Crowd crowd(loaded);
  GenerateRequest request = request_of(*loaded.engine, 1, 30);
  std::vector<int> order;
  for (const int number : {0, 1, 2, 3, 4}) {
    request.priority = number == 4 ? -1 : 0;
    auto id = crowd.batcher.submit(
        {.request = request,
         .on_done = [&order, number](const Result<GenerateResult>&) { order.push_back(number); }});
    ASSERT_TRUE(id);
    if (number == 1)
      for (int i = 0; i < 5; ++i) crowd.batcher.step();  // two of them write
  }
  crowd.run();
  // It took the place of the younger one, which then went before those that had never run.
  EXPECT_EQ(order, (std::vector{0, 4, 1, 2, 3}));
}

// What a client is billed by: prompt tokens that were cached count once, however often the request
// looked for pages in vain.
TEST_F(BatcherTest, WaitingForPagesCountsCachedTokensOnce) {
  Loaded loaded = load({.kv_tokens = 512, .sequences_max = 4});
  Crowd crowd(loaded);
  GenerateRequest first = request_of(*loaded.engine, 1, 200), second = first;
  first.prompt.resize(200, 7);
  second.prompt.resize(400, 7);
  second.prompt[130] = 8;  // the first two pages are the same
  second.tokens_max = 2;
  crowd.add(first);
  for (int i = 0; i < 3; ++i) crowd.batcher.step();
  const Answer& waited = crowd.add(second);
  for (int i = 0; i < 50; ++i) crowd.batcher.step();
  EXPECT_FALSE(waited.result) << "it was to wait for pages";
  crowd.run();
  ASSERT_TRUE(waited.result && *waited.result);
  EXPECT_EQ((*waited.result)->cached_tokens, 128u);
  EXPECT_EQ(loaded.batcher().counts().cached_tokens, 128u);
}

TEST_F(BatcherTest, CancelledWithinAStepAndPagesAreBack) {
  Loaded loaded = load({.sequences_max = 2});
  Crowd crowd(loaded);
  const Answer& runs = crowd.add(request_of(*loaded.engine, 1, 400));
  crowd.add(request_of(*loaded.engine, 2, 5));
  const Answer& waits = crowd.add(request_of(*loaded.engine, 3, 400));
  for (int i = 0; i < 3; ++i) crowd.batcher.step();
  EXPECT_GT(loaded.batcher().counts().pages_in_use, 0u);
  crowd.batcher.cancel(waits.id);
  ASSERT_TRUE(waits.result);
  EXPECT_EQ((*waits.result)->finish, FinishReason::cancelled);
  crowd.batcher.cancel(runs.id);
  const std::size_t before = runs.ids.size();
  crowd.batcher.step();
  ASSERT_TRUE(runs.result);
  EXPECT_EQ((*runs.result)->finish, FinishReason::cancelled);
  EXPECT_LE(runs.ids.size(), before + 1);
  crowd.run();
  EXPECT_EQ(loaded.batcher().counts().pages_in_use, 0u);
}

TEST_F(BatcherTest, RefusesWhatCanNeverFitAndWhatIsTooMuch) {
  Loaded loaded = load({.kv_tokens = 256});
  const auto submit = [&](std::vector<TokenId> prompt) {
    return loaded.batcher().submit(
        {.request = {.prompt = std::move(prompt)}, .on_done = [](Result<GenerateResult>) {}});
  };
  const auto too_long = submit(std::vector<TokenId>(300, 5));
  ASSERT_TRUE(too_long.is(Errc::limit));
  EXPECT_NE(too_long.error().message().find("256"), std::string::npos);
  // A burst at rest: those that find a free place, and those that wait.
  for (std::size_t i = 0; i < loaded.batcher().queue_max(); ++i)
    EXPECT_TRUE(submit({1, 2, 3})) << i;
  EXPECT_TRUE(submit({1, 2, 3}).is(Errc::busy)) << "later it may fit";
}

// Clients show why an answer ended, and agents act on it.
TEST_F(BatcherTest, SaysWhatEndedAnAnswer) {
  Loaded loaded = load();
  Crowd crowd(loaded);
  const GenerateRequest request = request_of(*loaded.engine, 1, 40);
  const Answer& whole = crowd.add(request);
  crowd.run();
  EXPECT_EQ((*whole.result)->stop, "");
  EXPECT_EQ((*whole.result)->stop_token, std::nullopt);
  GenerateRequest stopped = request, stopped_by_token = request;
  const std::string text = loaded.engine->tokenizer().decode(whole.ids, false);
  stopped.stop = {"no such text", text.substr(20, 5)};
  stopped_by_token.stop_tokens = {whole.ids[10]};
  const Answer& by_string = crowd.add(stopped);
  const Answer& by_token = crowd.add(stopped_by_token);
  crowd.run();
  EXPECT_EQ((*by_string.result)->finish, FinishReason::stop);
  EXPECT_EQ((*by_string.result)->stop, text.substr(20, 5));
  EXPECT_EQ((*by_token.result)->finish, FinishReason::stop);
  EXPECT_EQ((*by_token.result)->stop_token, whole.ids[10]);
}

// A long prompt without a sign of life looks like a server that hangs.
TEST_F(BatcherTest, TellsHowMuchOfAPromptIsComputed) {
  Loaded loaded = load({.batch_tokens_max = 100});
  GenerateRequest request = request_of(*loaded.engine, 90, 2);
  const auto size = static_cast<std::uint32_t>(request.prompt.size());
  ASSERT_GT(size, 2 * kPageTokens);
  const auto told = [&] {
    std::vector<std::uint32_t> seen;
    EXPECT_TRUE(loaded.batcher().submit({.request = request,
                                         .on_prompt = [&](std::uint32_t n) { seen.push_back(n); },
                                         .on_done = [](const Result<GenerateResult>&) {}}));
    while (loaded.batcher().step()) {
    }
    return seen;
  };
  EXPECT_EQ(told(), (std::vector<std::uint32_t>{0, 100, size}));
  const std::uint32_t known = (size - 1) / kPageTokens * kPageTokens;
  EXPECT_EQ(told(), (std::vector{known, size})) << "what the cache holds is there at once";
}

// Random lives: everything ends, once, and every page comes back.
TEST_F(BatcherTest, EveryRequestEndsOnceWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Rng rng(seed);
    Loaded loaded = load({.kv_tokens = 512, .sequences_max = 4});
    Crowd crowd(loaded);
    for (int i = 0; i < 150; ++i) {
      if (rng.next() % 3 == 0) {
        GenerateRequest request = request_of(*loaded.engine, static_cast<int>(rng.next() % 50),
                                             static_cast<std::uint32_t>(1 + rng.next() % 150));
        request.priority = static_cast<std::int32_t>(rng.next() % 3);
        if (crowd.batcher.counts().waiting < 60)
          crowd.add(std::move(request), std::to_string(rng.next() % 3));
      }
      if (rng.next() % 8 == 0 && !crowd.answers.empty())
        crowd.batcher.cancel(crowd.answers[rng.next() % crowd.answers.size()]->id);
      crowd.batcher.step();
    }
    crowd.run();
    for (const auto& answer : crowd.answers) {
      ASSERT_TRUE(answer->result);
      ASSERT_TRUE(*answer->result) << answer->result->error().message();
    }
    const BatcherCounts counts = crowd.batcher.counts();
    EXPECT_EQ(counts.pages_in_use, 0u);
    EXPECT_EQ(counts.running + counts.waiting, 0u);
  }
}

}  // namespace
}  // namespace drystone

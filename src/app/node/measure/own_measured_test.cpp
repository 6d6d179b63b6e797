#include "app/node/measure/own_measured.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "app/node/state/kept_text.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

Measured sample() {
  return {.read_bandwidth = 2e10,
          .products = {{"q4_0", {1e11, 1e11, 5e10}}},
          .steps = {.few_layers = 1e-5,
                    .many_layers = 4e-5,
                    .prompt_near = 1e-4,
                    .prompt_far = 7e-3,
                    .generated_near = 1e-5,
                    .generated_far = 6e-5,
                    .one_layer = 0.02,
                    .more_layers = 0.06}};
}

struct OwnMeasuredTest : ::testing::Test {
  void TearDown() override { fs::remove_all(folder); }
  OwnMeasured opened(bool anew = false) const { return {file, key, anew}; }
  const fs::path folder = fs::temp_directory_path() / fmt::format("measured-{}", getpid());
  const fs::path file = folder / "measured.json";
  MeasuredKey key{.cpu = "cpu", .isa = "avx2", .version = "1", .threads = 2};
};

TEST_F(OwnMeasuredTest, AreKeptForTheSameMachineAndBuild) {
  EXPECT_FALSE(opened().known());
  EXPECT_TRUE(opened().take(sample()));
  EXPECT_EQ(opened().known(), sample());
  std::ofstream(file) << "{";
  EXPECT_FALSE(opened().known());
  EXPECT_TRUE(opened().take(sample()));
  key.threads = 1;
  EXPECT_FALSE(opened().known());
}

// What ran beside a node's first start stayed in its figures for ever.
TEST_F(OwnMeasuredTest, BetterFiguresReplaceThoseKeptAndWorseOnesDoNot) {
  Measured slow = sample();
  slow.read_bandwidth = 1e10;
  slow.products["q4_0"].prompt = 5e10;
  slow.products["q4_0"].streamed = std::nullopt;
  slow.steps.one_layer = 0.03;
  EXPECT_TRUE(opened().take(slow));
  Measured mixed = sample();
  mixed.products["q4_0"].generated = 1e10;
  mixed.products["q8_0"].prompt = 1e9;
  mixed.steps.many_layers = 1;
  mixed.steps.few_layers = std::nullopt;
  EXPECT_TRUE(opened().take(mixed));
  Measured best = sample();
  best.products["q8_0"].prompt = 1e9;
  EXPECT_EQ(opened().known(), best);
  EXPECT_FALSE(opened().take(slow));
  EXPECT_EQ(opened().known(), best);
}

// The best of many minutes is no minute that an answer sees.
TEST_F(OwnMeasuredTest, RatesOfGeneratedRowsAreTheMeanOfThoseThatDifferLittle) {
  Measured one, other, disturbed;
  one.products["q4_0"] = {.prompt = 1e11, .generated = 100, .few = 80, .streamed = 60};
  other.products["q4_0"] = {.prompt = 2e11, .generated = 110, .few = 90, .streamed = 50};
  disturbed.products["q4_0"] = {.prompt = 1e9, .generated = 10, .few = 10, .streamed = 10};
  const Rates mean{.prompt = 2e11, .generated = 105, .few = 85, .streamed = 55};
  EXPECT_EQ(combined(one, other).products.at("q4_0"), mean);
  EXPECT_EQ(combined(combined(disturbed, one), other).products.at("q4_0"), mean);
  EXPECT_EQ(combined(combined(one, other), disturbed).products.at("q4_0"), mean);
}

// A pause while layers were measured divided all rates by 200.
TEST_F(OwnMeasuredTest, WhatIsNotPlausibleIsMeasuredAnew) {
  Measured paused = sample();
  paused.steps.more_layers = 3;
  opened().take(paused);
  EXPECT_FALSE(opened().known());
}

// What a cache made fast is no better than what was measured without it.
TEST_F(OwnMeasuredTest, RatesWithAndWithoutACacheAreNotCompared) {
  Measured from_cache, from_memory;
  from_cache.products["q4_0"] = {.prompt = 2e11, .generated = 2e11};
  from_memory.products["q4_0"] = {.prompt = 1e11, .generated = 1e11, .few = 9e10};
  for (const Measured& best :
       {combined(from_cache, from_memory), combined(from_memory, from_cache)}) {
    EXPECT_EQ(best.products.at("q4_0").prompt, 2e11);
    EXPECT_EQ(best.products.at("q4_0").generated, 1e11);
  }
}

// So were files of builds that kept what they had concluded.
TEST_F(OwnMeasuredTest, EarlierFilesAreNotUsed) {
  ASSERT_TRUE(keep_text(
      file,
      R"({"format": 2, "cpu": "cpu", "isa": "avx2", "version": "1", "threads": 2, "figures":
                           {"id": "self", "name": "", "rates": {"q4_0": {"prompt": 92e6}}}})"));
  EXPECT_FALSE(opened().known());
}

TEST_F(OwnMeasuredTest, AnewThrowsAwayWhatIsKept) {
  opened().take(sample());
  EXPECT_FALSE(opened(true).known());
  EXPECT_FALSE(opened().known());
}

}  // namespace
}  // namespace drystone

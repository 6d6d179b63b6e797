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
          .rounds = {{{"q4_0", {1e11, 1e11, 5e10}}}},
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
  slow.rounds[0]["q4_0"].prompt = 5e10;
  slow.steps.one_layer = 0.03;
  EXPECT_TRUE(opened().take(slow));
  Measured mixed = sample();
  mixed.rounds[0]["q8_0"].prompt = 1e9;
  mixed.steps.many_layers = 1;
  mixed.steps.few_layers = std::nullopt;
  EXPECT_TRUE(opened().take(mixed));
  for (int i = 0; i < 2; ++i) {
    const auto known = opened().known();
    ASSERT_TRUE(known);
    EXPECT_EQ(known->read_bandwidth, 2e10);
    EXPECT_EQ(known->products().at("q8_0").prompt, 1e9);
    EXPECT_EQ(known->steps, sample().steps);
    EXPECT_TRUE(opened().take(slow));
  }
  EXPECT_FALSE(opened().take(Measured())) << "nothing was measured";
}

// The best of many minutes is no minute that an answer sees, and neither is the worst.
TEST_F(OwnMeasuredTest, RatesAreThoseOfUsualRounds) {
  const auto round = [](double rate) {
    Measured measured;
    measured.rounds = {{{"q4_0", {rate, rate, rate, rate}}}};
    return measured;
  };
  Measured all = combined(round(50), round(5));
  EXPECT_EQ(all.products().at("q4_0").few, 50) << "two: one may have been disturbed";
  for (const double rate : {78, 52, 51}) all = combined(all, round(rate));
  for (auto figure : {&Rates::prompt, &Rates::generated, &Rates::few, &Rates::streamed})
    EXPECT_EQ(all.products().at("q4_0").*figure, 51);
  for (std::size_t i = 0; i < kRoundsKept; ++i) all = combined(all, round(30));
  EXPECT_EQ(all.products().at("q4_0").few, 30) << "a machine that became slower";
  EXPECT_EQ(all.rounds.size(), kRoundsKept);
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
  from_cache.rounds = {{{"q4_0", {.prompt = 2e11, .generated = 2e11}}}};
  from_memory.rounds = {{{"q4_0", {.prompt = 1e11, .generated = 1e11, .few = 9e10}}}};
  for (const Measured& all :
       {combined(from_cache, from_memory), combined(from_memory, from_cache)}) {
    EXPECT_EQ(all.products().at("q4_0").prompt, 2e11);
    EXPECT_EQ(all.products().at("q4_0").generated, 1e11);
  }
}

// So were files of builds that kept what they had concluded.
TEST_F(OwnMeasuredTest, FilesOfAnotherFormatAreNotUsed) {
  opened().take(sample());
  ASSERT_TRUE(opened().known());
  std::string text = **read_kept_text(file, 1 << 20);
  const std::string format = "\"format\":";
  const auto at = text.find(format);
  ASSERT_NE(at, std::string::npos) << text;
  --text[at + format.size()];
  ASSERT_TRUE(keep_text(file, text));
  EXPECT_FALSE(opened().known());
}

TEST_F(OwnMeasuredTest, AnewThrowsAwayWhatIsKept) {
  opened().take(sample());
  EXPECT_FALSE(opened(true).known());
  EXPECT_FALSE(opened().known());
}

}  // namespace
}  // namespace drystone

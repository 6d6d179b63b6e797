#include "bench/serve/report.h"

#include <gtest/gtest.h>

#include "bench/serve/answer_reader.h"

namespace drystone {
namespace {

Exchange stream(double start_s, std::vector<double> chunks) {
  Exchange one{.start_s = start_s, .end_s = chunks.back(), .chunk_times_s = std::move(chunks)};
  one.prompt_tokens = 10;
  one.completion_tokens = one.chunk_times_s.size();
  return one;
}

TEST(Percentiles, TakeTheValueThatThatManyReach) {
  const Percentiles p = percentiles({5, 1, 4, 2, 3});
  EXPECT_EQ(p.p50, 3);
  EXPECT_EQ(p.p90, 5);
  EXPECT_EQ(p.mean, 3);
  EXPECT_EQ(percentiles({7}).p99, 7);
}

TEST(Figures, SpeedTogetherIsThatOfTheTimeInWhichAllDecode) {
  // Both decode from 2 to 4: two tokens of each.
  const LoadRecord record{.exchanges = {stream(0, {1, 2, 3, 4}), stream(0, {2, 3, 4, 5})},
                          .wall_s = 5};
  const auto out = figures(record);
  EXPECT_EQ(out.at("together_tok_s").to_number<double>(), 2);
  EXPECT_EQ(out.at("both_tok_s").to_number<double>(), 28.0 / 5);
  EXPECT_EQ(out.at("ttft_ms").at("max").to_number<double>(), 2000);
}

TEST(Figures, AStallIsMeasuredWhileTheForeignPromptIsRead) {
  Exchange foreign = stream(3, {6});
  foreign.foreign = true;
  const LoadRecord record{.exchanges = {stream(0, {1, 2, 3, 6, 7}), foreign}, .wall_s = 7};
  const auto out = figures(record);
  EXPECT_EQ(out.at("stall").at("p99_over_median").to_number<double>(), 3);
  EXPECT_EQ(out.at("stall").at("foreign_ttft_ms").to_number<double>(), 3000);
}

// Longer texts take longer by themselves: gaps are compared with those of the same tokens.
TEST(Figures, AStallIsComparedWithTheSameTokensWithoutTheForeignPrompt) {
  Exchange foreign = stream(3.5, {11}), again = stream(20, {21, 22, 23, 25, 27, 30});
  foreign.foreign = true;
  again.again = true;
  const LoadRecord record{.exchanges = {stream(0, {1, 2, 3, 7, 11, 12}), foreign, again},
                          .wall_s = 30};
  const auto out = figures(record);
  const auto& stall = out.at("stall");
  EXPECT_EQ(stall.at("gap_p99_during_ms").to_number<double>(), 4000);
  EXPECT_EQ(stall.at("gap_p50_without_ms").to_number<double>(), 2000);
  EXPECT_EQ(stall.at("p99_over_median").to_number<double>(), 2);
  EXPECT_EQ(stall.at("p99_over_median_before").to_number<double>(), 4);
  EXPECT_EQ(out.at("gap_ms").at("count").to_number<double>(), 5) << "not the repeated ones";
}

// A full queue is a proper answer under load; a cut stream is not.
TEST(Figures, FailuresAreWhatNobodyAskedFor) {
  LoadRecord record;
  for (const char* error : {"", "http 429", "http 503", "http 500", "cut"})
    record.exchanges.push_back({.error = error});
  EXPECT_EQ(failures(record), 2u);
}

TEST(AnswerReader, FindsTextUsageAndTheEndInPieces) {
  const std::string text =
      ": working\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1,"
      "\"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\ndata: [DONE]\n\n";
  Exchange one;
  AnswerReader reader(one, true, true);
  for (const char c : text) reader.take(std::string(1, c), 1);
  reader.end();
  EXPECT_EQ(one.error, "");
  EXPECT_EQ(one.text, "a");
  EXPECT_EQ(one.chunk_times_s.size(), 1u);
  EXPECT_EQ(one.prompt_tokens, 4u);
  EXPECT_EQ(one.cached_tokens, 2u);
}

TEST(AnswerReader, TellsACutStreamFromAnEnd) {
  Exchange one;
  AnswerReader reader(one, true, false);
  reader.take("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", 1);
  reader.end();
  EXPECT_EQ(one.error, "cut");
}

}  // namespace
}  // namespace drystone

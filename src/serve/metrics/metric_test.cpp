#include "serve/metrics/metric.h"

#include <gtest/gtest.h>

#include <thread>

#include "serve/metrics/exposition.h"

namespace drystone {
namespace {

// Threads of the engine and of the loop write the same numbers.
TEST(Metric, LosesNothingBetweenThreads) {
  constexpr double kBounds[] = {1, 2};
  Counter counter;
  Histogram histogram(kBounds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) counter.add(), histogram.observe(1.5);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000u);
  const auto now = histogram.snapshot();
  EXPECT_EQ(now.at_most, (std::vector<std::uint64_t>{0, 40'000}));
  EXPECT_EQ(now.count, 40'000u);
  EXPECT_DOUBLE_EQ(now.sum, 60'000);
}

// Prometheus' buckets include their bound and everything below.
TEST(Histogram, CountsABoundIntoItsOwnBucket) {
  constexpr double kBounds[] = {0.5, 1};
  Histogram histogram(kBounds);
  for (const double value : {0.5, 0.6, 1.0, 7.0}) histogram.observe(value);
  const auto now = histogram.snapshot();
  EXPECT_EQ(now.at_most, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(now.count, 4u);
}

// A model's name is whatever a user calls it; it must not break the line.
TEST(Exposition, EscapesWhatWouldEndALabel) {
  Exposition out;
  out.family("x_total", "counter", "A \\ and\na line");
  out.sample("x_total", {{"model_name", "a\"b\\c\nd"}}, std::uint64_t{3});
  EXPECT_EQ(out.take(),
            "# HELP x_total A \\\\ and\\na line\n# TYPE x_total counter\n"
            "x_total{model_name=\"a\\\"b\\\\c\\nd\"} 3\n");
}

TEST(Exposition, WritesAHistogramCumulatively) {
  constexpr double kBounds[] = {0.25, 2};
  Histogram histogram(kBounds);
  histogram.observe(0.25);
  histogram.observe(1, 2);
  histogram.observe(9);
  Exposition out;
  out.samples("t", {}, histogram);
  EXPECT_EQ(out.take(),
            "t_bucket{le=\"0.25\"} 1\nt_bucket{le=\"2\"} 3\nt_bucket{le=\"+Inf\"} 4\n"
            "t_sum 11.25\nt_count 4\n");
}

}  // namespace
}  // namespace drystone

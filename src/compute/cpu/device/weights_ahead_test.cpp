#include "compute/cpu/device/weights_ahead.h"

#include <gtest/gtest.h>

#include <vector>

namespace drystone {
namespace {

constexpr std::uint32_t kCols = 1024;

PackedMatrix zeros(ThreadPool& pool, std::uint32_t rows) {
  const std::vector<std::byte> source(std::size_t{rows} * kCols * sizeof(float));
  auto matrix = PackedMatrix::pack(pool, DType::f32, rows, kCols, source);
  EXPECT_TRUE(matrix);
  return std::move(*matrix);
}

Bytes steps_of(WeightsAhead& ahead, int thread) {
  Bytes steps = 0;
  while (ahead.step(thread)) ++steps;
  return steps;
}

TEST(WeightsAhead, AsksForAllOfWhatIsSmallOnceInParts) {
  ThreadPool pool(1);
  const PackedMatrix a = zeros(pool, 64), b = zeros(pool, 48);
  const PackedMatrix* both[] = {&a, &b};
  for (const int threads : {1, 3}) {
    WeightsAhead ahead(threads);
    EXPECT_FALSE(ahead.step(0)) << "nothing was begun";
    for (int round = 0; round < 2; ++round) {
      ahead.begin(both);
      Bytes steps = 0;
      for (int thread = 0; thread < threads; ++thread) steps += steps_of(ahead, thread);
      const Bytes whole = (a.bytes() + b.bytes()) / WeightsAhead::kStepBytes;
      EXPECT_GE(steps, whole);
      EXPECT_LE(steps, whole + static_cast<Bytes>(threads));
    }
  }
}

// More would push out of the caches what was asked for first.
TEST(WeightsAhead, StopsWhereCachesEnd) {
  ThreadPool pool(1);
  const PackedMatrix large = zeros(pool, 2 * WeightsAhead::kBytesMax / (kCols * sizeof(float)));
  const PackedMatrix* one[] = {&large};
  WeightsAhead ahead(2);
  ahead.begin(one);
  for (int thread = 0; thread < 2; ++thread)
    EXPECT_EQ(steps_of(ahead, thread), WeightsAhead::kBytesMax / 2 / WeightsAhead::kStepBytes);
}

TEST(WeightsAhead, HasNothingToDoWithoutWeights) {
  WeightsAhead ahead(1);
  ahead.begin({});
  EXPECT_FALSE(ahead.step(0));
}

}  // namespace
}  // namespace drystone

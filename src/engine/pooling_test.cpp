#include "engine/pooling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace drystone {
namespace {

constexpr std::uint32_t kWidth = 5;

std::vector<float> random_rows(std::size_t rows) {
  Rng rng(3);
  std::vector<float> values(rows * kWidth);
  for (float& value : values) value = rng.normal();
  return values;
}

std::vector<float> pooled(Pooling pooling, std::span<const float> rows, std::size_t chunk) {
  HiddenPool pool(pooling, kWidth);
  for (; !rows.empty(); rows = rows.subspan(std::min(rows.size(), chunk * kWidth)))
    pool.add(rows.first(std::min(rows.size(), chunk * kWidth)));
  return pool.vector();
}

// A text's vector must not depend on who shared the steps that computed it.
TEST(HiddenPool, ChunksDoNotChangeTheBits) {
  const auto rows = random_rows(101);
  for (const Pooling pooling : {Pooling::mean, Pooling::last})
    for (const std::size_t chunk : {1u, 7u, 64u})
      EXPECT_EQ(pooled(pooling, rows, chunk), pooled(pooling, rows, 101));
}

TEST(HiddenPool, TakesTheMeanOrTheLastRow) {
  const std::vector<float> rows = {1, 2, 3, 4, 5, 3, 2, 1, 0, -1};
  EXPECT_EQ(pooled(Pooling::mean, rows, 2), (std::vector<float>{2, 2, 2, 2, 2}));
  EXPECT_EQ(pooled(Pooling::last, rows, 2), (std::vector<float>{3, 2, 1, 0, -1}));
}

// What a preempted request had summed must not count twice.
TEST(HiddenPool, BeginsAgain) {
  HiddenPool pool(Pooling::mean, 1);
  pool.add(std::vector<float>{100});
  pool.clear();
  pool.add(std::vector<float>{2, 4});
  EXPECT_EQ(pool.vector(), std::vector<float>{3});
}

// Cosines are dot products only if lengths are 1; a shortened vector has to be scaled anew.
TEST(UnitVector, HasLengthOneAtAnySize) {
  const auto values = random_rows(20);
  for (const std::size_t size : {1u, 3u, 100u, 1000u}) {
    const auto unit = unit_vector(values, size);
    ASSERT_EQ(unit.size(), std::min<std::size_t>(size, 100));
    double squares = 0;
    for (const float value : unit) squares += double{value} * value;
    EXPECT_NEAR(squares, 1, 1e-6);
    EXPECT_GT(unit[0] * values[0], 0);
  }
  EXPECT_EQ(unit_vector(std::vector<float>{0, 0}, 2), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace drystone

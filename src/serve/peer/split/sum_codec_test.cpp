#include "serve/peer/split/sum_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "cluster/plan/row_format.h"

namespace drystone {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::byte> encoded(const std::vector<float>& values) {
  std::vector<std::byte> bytes(sum_bytes(values.size()));
  encode_sum(values, bytes);
  return bytes;
}

std::vector<float> back(const std::vector<float>& values) {
  std::vector<float> result(values.size());
  decode_sum(encoded(values), result);
  return result;
}

TEST(SumCodec, ValuesStayWithinAStepOfTheirBlock) {
  Rng rng(7);
  for (const float size : {1e-30f, 1e-3f, 1.0f, 7e4f, 1e30f}) {
    std::vector<float> values(8 * kSumBlock);
    for (float& value : values) value = rng.normal() * size;
    const auto result = back(values);
    for (std::size_t block = 0; block < values.size(); block += kSumBlock) {
      float largest = 0;
      for (std::size_t i = block; i < block + kSumBlock; ++i)
        largest = std::max(largest, std::abs(values[i]));
      for (std::size_t i = block; i < block + kSumBlock; ++i)
        EXPECT_NEAR(result[i], values[i], largest / 65000) << "of values about " << size;
    }
  }
}

TEST(SumCodec, TheLargestValueOfEitherSignComesBack) {
  std::vector<float> values(kSumBlock, 0.0f);
  values[3] = std::numeric_limits<float>::max();
  EXPECT_FLOAT_EQ(back(values)[3], values[3]);
  values[3] = -12345.678f;
  EXPECT_FLOAT_EQ(back(values)[3], values[3]);
  EXPECT_EQ(back(values)[4], 0.0f);
}

TEST(SumCodec, WhatIsTooSmallToDivideByIsZero) {
  for (const float tiny : {0.0f, -0.0f, std::numeric_limits<float>::denorm_min(), 1e-39f})
    for (const float value : back(std::vector<float>(kSumBlock, tiny)))
      EXPECT_LE(std::abs(value), 1e-39f) << tiny;
}

// A model that computes nonsense must not look sound on two nodes.
TEST(SumCodec, ABlockWithAValueThatIsNotFiniteIsNotANumber) {
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> values(2 * kSumBlock, 1.0f);
    values[kSumBlock + 5] = bad;
    const auto result = back(values);
    EXPECT_EQ(result[0], 1.0f);
    for (std::size_t i = kSumBlock; i < values.size(); ++i) EXPECT_TRUE(std::isnan(result[i]));
  }
}

TEST(SumCodec, SumsAreOfWhatBothPartsDecodeTo) {
  Rng rng(9);
  std::vector<float> a(3 * kSumBlock), b(a.size()), sum(a.size());
  for (float& value : a) value = rng.normal();
  for (float& value : b) value = rng.normal() * 100;
  decode_sum(encoded(a), encoded(b), sum);
  auto added = back(a);
  add_sum(encoded(b), added);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(sum[i], back(a)[i] + back(b)[i]);
    EXPECT_EQ(added[i], sum[i]);
  }
}

}  // namespace
}  // namespace drystone

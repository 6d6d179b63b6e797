#include "compute/blocks/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "compute/blocks/dequantize.h"

namespace drystone {
namespace {

// Roughly normal, the same everywhere (std::normal_distribution is not).
std::vector<float> bell(std::size_t n, float scale, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::vector<float> out(n);
  for (float& x : out) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += bits() * 0x1p-32;
    x = static_cast<float>((sum - 6) * scale);
  }
  return out;
}

std::vector<std::byte> quantized(DType type, const std::vector<float>& x,
                                 const float* importance = nullptr) {
  std::vector<std::byte> bytes(row_bytes(type, x.size()));
  quantize_row(type, x.data(), bytes.data(), x.size(), importance);
  return bytes;
}

std::vector<float> restored(DType type, const std::vector<std::byte>& bytes, std::size_t n) {
  std::vector<float> out(n);
  dequantize_row(type, bytes.data(), out.data(), n);
  return out;
}

double relative_rms_error(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += (x[i] - y[i]) * (x[i] - y[i]);
    energy += x[i] * x[i];
  }
  return std::sqrt(error / energy);
}

struct Bound {
  DType type;
  double error;  // relative rms on normal weights; what the reference quantizers reach, plus 2%
};
const Bound kBounds[] = {
    {DType::f32, 0},       {DType::f16, 0.00022},   {DType::bf16, 0.0018},  {DType::q8_0, 0.0055},
    {DType::q4_0, 0.0865}, {DType::q4_1, 0.079},    {DType::q5_0, 0.043},   {DType::q5_1, 0.0385},
    {DType::q2_k, 0.300},  {DType::q3_k, 0.153},    {DType::q4_k, 0.0725},  {DType::q5_k, 0.0368},
    {DType::q6_k, 0.0181}, {DType::iq4_nl, 0.0775}, {DType::iq4_xs, 0.078}, {DType::mxfp4, 0.116},
};

class QuantizeTypes : public testing::TestWithParam<Bound> {};

// A model is only as good as its weights: each type has the error that its bits allow.
TEST_P(QuantizeTypes, ErrorOnNormalWeightsIsWithinTheTypesBound) {
  const auto x = bell(64 * 1024, 0.02f, 1);
  const double error =
      relative_rms_error(x, restored(GetParam().type, quantized(GetParam().type, x), x.size()));
  EXPECT_LE(error, GetParam().error);
  EXPECT_GE(error, GetParam().error * 0.8) << "better than the bound by far: is the bound stale?";
}

// Padding and unused rows of real files are zero and must stay so.
TEST_P(QuantizeTypes, ZerosStayZeros) {
  const std::vector<float> x(512, 0.0f);
  for (const float y : restored(GetParam().type, quantized(GetParam().type, x), x.size()))
    ASSERT_EQ(y, 0);
}

// Rows are cut among threads: a block must not depend on the blocks before it.
TEST_P(QuantizeTypes, BlocksAreIndependentOfTheirNeighbours) {
  const auto x = bell(1024, 0.1f, 2);
  const auto whole = quantized(GetParam().type, x);
  const auto tail = quantized(GetParam().type, std::vector<float>(x.begin() + 512, x.end()));
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(),
                         whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2)));
}

// Weights far from the usual scale, one-sided or constant blocks, and damaged ones must not trip
// the searches.
TEST_P(QuantizeTypes, SurvivesUnusualBlocks) {
  const DType type = GetParam().type;
  for (const float scale : {1e-30f, 1e-9f, 1e-4f, 1e3f}) {
    auto x = bell(512, scale, 3);
    for (float& v : x) v = std::fabs(v);
    for (const float y : restored(type, quantized(type, x), x.size()))
      ASSERT_TRUE(std::isfinite(y)) << scale;
  }
  std::vector<float> spike(512, 0.0f);
  spike[77] = -3;
  const auto y = restored(type, quantized(type, spike), spike.size());
  EXPECT_NEAR(y[77], -3, 0.5);
  EXPECT_EQ(y[300], 0);

  auto damaged = bell(512, 1, 4);
  damaged[5] = NAN;
  damaged[300] = INFINITY;
  quantized(type, damaged);  // under the sanitizers: no undefined conversion
  const std::vector<float> constant(512, -0.125f);
  for (const float v : restored(type, quantized(type, constant), 512)) ASSERT_NEAR(v, -0.125, 0.01);
}

// The same model quantized on two machines must be the same file: sums are in a fixed order on
// every instruction set.
TEST(Quantize, BytesAreTheSameOnEveryMachine) {
  const auto x = bell(8 * 1024, 0.05f, 6);
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const Bound& bound : kBounds)
    for (const std::byte b : quantized(bound.type, x))
      hash = (hash ^ static_cast<std::uint8_t>(b)) * 0x100000001b3u;
  EXPECT_EQ(hash, 14873248208108695466u);
}

class SearchedTypes : public testing::TestWithParam<DType> {};

// An importance matrix must move the error to where it does not matter.
TEST_P(SearchedTypes, ImportanceLowersTheErrorOfImportantWeights) {
  const DType type = GetParam();
  const auto x = bell(16 * 1024, 0.1f, 5);
  std::vector<float> importance(x.size(), 0.01f);
  for (std::size_t i = 0; i < x.size(); i += 4) importance[i] = 1;
  const auto error_of_important = [&](const std::vector<float>& y) {
    double error = 0;
    for (std::size_t i = 0; i < x.size(); i += 4) error += (x[i] - y[i]) * (x[i] - y[i]);
    return error;
  };
  const double without = error_of_important(restored(type, quantized(type, x), x.size()));
  const double with =
      error_of_important(restored(type, quantized(type, x, importance.data()), x.size()));
  EXPECT_LT(with, 0.95 * without);
}

INSTANTIATE_TEST_SUITE_P(All, QuantizeTypes, testing::ValuesIn(kBounds),
                         [](const auto& info) { return std::string(to_string(info.param.type)); });

INSTANTIATE_TEST_SUITE_P(All, SearchedTypes,
                         testing::Values(DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,
                                         DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k,
                                         DType::q6_k, DType::iq4_nl, DType::iq4_xs),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace drystone

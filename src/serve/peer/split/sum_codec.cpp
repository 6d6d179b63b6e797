#include "serve/peer/split/sum_codec.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "cluster/plan/row_format.h"

namespace drystone {
namespace {

constexpr std::size_t kScaleBytes = sizeof(float);
constexpr std::size_t kBlockBytes = kScaleBytes + kSumBlock * sizeof(std::int16_t);
static_assert(kBlockBytes == 68);  // sum_bytes
constexpr std::int32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
constexpr float kSteps = std::numeric_limits<std::int16_t>::max();
// Adding 1.5 * 2^23 to a small number leaves its nearest integer in the low bits of the mantissa:
// what every instruction set has, where conversions of whole vectors are not.
constexpr float kRounder = 0x1.8p23f;

// The loops have a constant count and touch each value by itself, so that compilers make vectors of
// them.
void put_block(const float* values, std::byte* to) {
  // Magnitudes of floats are ordered as their bits are, those that are not finite at the end.
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < kSumBlock; ++i)
    largest = std::max(largest, std::bit_cast<std::int32_t>(values[i]) & kMagnitude);
  float scale = std::bit_cast<float>(largest) / kSteps;
  float steps = 1 / scale;
  if (std::bit_cast<std::int32_t>(steps) >= kInfinity) scale = steps = 0;  // too small to divide by
  if (largest >= kInfinity) scale = std::numeric_limits<float>::quiet_NaN(), steps = 0;
  std::memcpy(to, &scale, kScaleBytes);
  to += kScaleBytes;
  for (std::size_t i = 0; i < kSumBlock; ++i) {
    const auto rounded =
        static_cast<std::int16_t>(std::bit_cast<std::int32_t>(values[i] * steps + kRounder));
    std::memcpy(to + i * sizeof rounded, &rounded, sizeof rounded);
  }
}

// A block where it stands.
class Block {
 public:
  explicit Block(const std::byte* at) : steps_(at + kScaleBytes) {
    std::memcpy(&scale_, at, kScaleBytes);
  }
  float operator[](std::size_t i) const {
    std::int16_t steps;
    std::memcpy(&steps, steps_ + i * sizeof steps, sizeof steps);
    return scale_ * static_cast<float>(steps);
  }

 private:
  float scale_;
  const std::byte* steps_;
};

// work(values of a block, the block of each of `bytes`...) for all blocks.
template <typename Work, typename... Bytes>
void for_blocks(std::span<float> values, Work work, Bytes... bytes) {
  CHECK(((bytes.size() == sum_bytes(values.size())) && ...), values.size());
  for (std::size_t i = 0; i < values.size() / kSumBlock; ++i)
    work(values.data() + i * kSumBlock, Block(bytes.data() + i * kBlockBytes)...);
}

}  // namespace

void encode_sum(std::span<const float> values, std::span<std::byte> bytes) {
  CHECK(bytes.size() == sum_bytes(values.size()), bytes.size(), values.size());
  for (std::size_t i = 0; i < values.size() / kSumBlock; ++i)
    put_block(values.data() + i * kSumBlock, bytes.data() + i * kBlockBytes);
}

void decode_sum(std::span<const std::byte> bytes, std::span<float> values) {
  for_blocks(
      values,
      [](float* to, const Block& block) {
        for (std::size_t i = 0; i < kSumBlock; ++i) to[i] = block[i];
      },
      bytes);
}

void decode_sum(std::span<const std::byte> a, std::span<const std::byte> b,
                std::span<float> values) {
  for_blocks(
      values,
      [](float* to, const Block& x, const Block& y) {
        for (std::size_t i = 0; i < kSumBlock; ++i) to[i] = x[i] + y[i];
      },
      a, b);
}

void add_sum(std::span<const std::byte> bytes, std::span<float> values) {
  for_blocks(
      values,
      [](float* to, const Block& block) {
        for (std::size_t i = 0; i < kSumBlock; ++i) to[i] += block[i];
      },
      bytes);
}

}  // namespace drystone

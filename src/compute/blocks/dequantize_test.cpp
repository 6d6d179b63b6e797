#include "compute/blocks/dequantize.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "compute/blocks/blocks.h"

namespace drystone {
namespace {

constexpr std::uint16_t kOne = 0x3c00, kTwo = 0x4000;  // f16

template <typename Block>
std::vector<float> weights_of(DType type, const Block& block) {
  std::vector<float> out(dtype_info(type).block_elems);
  EXPECT_EQ(sizeof block, dtype_info(type).block_bytes);
  dequantize_row(type, reinterpret_cast<const std::byte*>(&block), out.data(), out.size());
  return out;
}

// The nibble order is what files disagree on most easily: low nibbles are the first half of a
// block, not even weights.
TEST(Dequantize, NibblesOfSmallBlocksHoldHalvesNotPairs) {
  BlockQ4_0 q4{.d = kTwo};
  q4.qs[3] = 0xf1;
  const auto w4 = weights_of(DType::q4_0, q4);
  EXPECT_EQ(w4[3], 2 * (1 - 8));
  EXPECT_EQ(w4[19], 2 * (15 - 8));
  EXPECT_EQ(w4[0], 2 * -8);

  BlockQ4_1 q41{.d = kTwo, .m = kOne};
  q41.qs[15] = 0x70;
  const auto w41 = weights_of(DType::q4_1, q41);
  EXPECT_EQ(w41[15], 1);
  EXPECT_EQ(w41[31], 2 * 7 + 1);

  BlockMxfp4 fp4{.e = 127};  // 2^0
  fp4.qs[0] = 0x9f;
  const auto wfp4 = weights_of(DType::mxfp4, fp4);
  EXPECT_EQ(wfp4[0], -6);
  EXPECT_EQ(wfp4[16], -0.5);

  BlockIq4Nl nl{.d = kOne};
  nl.qs[1] = 0xf0;
  const auto wnl = weights_of(DType::iq4_nl, nl);
  EXPECT_EQ(wnl[1], -127);
  EXPECT_EQ(wnl[17], 113);
}

TEST(Dequantize, FifthBitsComeFromTheirBitOfTheMask) {
  BlockQ5_0 q5{.d = kOne};
  q5.qh[0] = 1 << 2;
  q5.qh[2] = 1 << 1;
  q5.qs[1] = 0x30;
  const auto w = weights_of(DType::q5_0, q5);
  EXPECT_EQ(w[2], 0);  // 16 - 16
  EXPECT_EQ(w[17], 16 + 3 - 16);
  EXPECT_EQ(w[1], -16);

  BlockQ5_1 q51{.d = kOne, .m = kTwo};
  q51.qh[3] = 0x80;
  EXPECT_EQ(weights_of(DType::q5_1, q51)[31], 16 + 2);
}

// Each sub-block must use its own packed scale: sub-block s gets scale s + 1 and quants of one.
TEST(Dequantize, SuperBlocksUnpackTheScaleOfEachSubBlock) {
  BlockQ4K q4{.d = kOne, .dmin = kOne};
  for (int s = 0; s < 8; ++s) {  // 6-bit scale 8s + 3, minimum 63 - s
    const int scale = 8 * s + 3, min = 63 - s;
    if (s < 4) {
      q4.scales[s] |= scale;
      q4.scales[s + 4] |= min;
    } else {
      q4.scales[s + 4] = static_cast<std::uint8_t>((scale & 15) | (min & 15) << 4);
      q4.scales[s - 4] |= scale >> 4 << 6;
      q4.scales[s] |= min >> 4 << 6;
    }
  }
  std::memset(q4.qs, 0x11, sizeof q4.qs);
  const auto w4 = weights_of(DType::q4_k, q4);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(w4[i], 8 * (i / 32) + 3 - (63 - i / 32)) << i;

  BlockQ6K q6{.d = kOne};
  for (int s = 0; s < 16; ++s) q6.scales[s] = static_cast<std::int8_t>(s - 8);
  const auto w6 = weights_of(DType::q6_k, q6);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(w6[i], (i / 16 - 8) * -32) << i;

  BlockIq4Xs xs{.d = kOne};
  for (int s = 0; s < 8; ++s) {  // scale 4s - 30 in each, stored with 32 added
    const int stored = 4 * s + 2;
    xs.scales_l[s / 2] |= (stored & 15) << 4 * (s % 2);
    xs.scales_h = static_cast<std::uint16_t>(xs.scales_h | stored >> 4 << 2 * s);
  }
  std::memset(xs.qs, 0x88, sizeof xs.qs);  // level 1
  const auto wxs = weights_of(DType::iq4_xs, xs);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(wxs[i], 4 * (i / 32) - 30) << i;
}

// A row in a mapped file starts anywhere; blocks have odd sizes.
TEST(Dequantize, ReadsUnalignedRowsOfManyBlocks) {
  const std::uint64_t n = 4 * kSmallBlock;
  std::vector<std::byte> bytes(row_bytes(DType::q8_0, n) + 1);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = 1 + i / 32 * 34;
    std::memcpy(&bytes[at], &kTwo, 2);
    bytes[at + 2 + i % 32] = static_cast<std::byte>(i);
  }
  std::vector<float> out(n);
  dequantize_row(DType::q8_0, bytes.data() + 1, out.data(), n);
  for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(out[i], 2.0f * static_cast<std::int8_t>(i));
}

}  // namespace
}  // namespace drystone

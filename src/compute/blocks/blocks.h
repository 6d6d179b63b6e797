#pragma once

#include <bit>
#include <cstdint>

// Blocks of quantized weights exactly as they stand in GGUF files (little-endian, no padding);
// docs/formats/blocks.md describes each field. A row is a sequence of blocks. `f16` and `e8m0`
// fields are raw bits (half.h, e8m0_half()).

namespace drystone {

static_assert(std::endian::native == std::endian::little, "blocks are read in place");

constexpr int kSmallBlock = 32;   // weights per block of the simple types
constexpr int kSuperBlock = 256;  // weights per block of the K types and iq4_xs

#pragma pack(push, 1)

struct BlockQ4_0 {
  std::uint16_t d;      // f16
  std::uint8_t qs[16];  // low nibbles: weights 0-15; high nibbles: 16-31
};

struct BlockQ4_1 {
  std::uint16_t d, m;  // f16
  std::uint8_t qs[16];
};

struct BlockQ5_0 {
  std::uint16_t d;     // f16
  std::uint8_t qh[4];  // bit i: fifth bit of weight i
  std::uint8_t qs[16];
};

struct BlockQ5_1 {
  std::uint16_t d, m;  // f16
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

struct BlockQ8_0 {
  std::uint16_t d;  // f16
  std::int8_t qs[32];
};

struct BlockQ2K {
  std::uint8_t scales[16];  // per 16 weights: low nibble scale, high nibble minimum
  std::uint8_t qs[64];
  std::uint16_t d, dmin;  // f16
};

struct BlockQ3K {
  std::uint8_t hmask[32];
  std::uint8_t qs[64];
  std::uint8_t scales[12];  // 16 scales of 6 bits
  std::uint16_t d;          // f16
};

struct BlockQ4K {
  std::uint16_t d, dmin;    // f16
  std::uint8_t scales[12];  // 8 scales and 8 minima of 6 bits
  std::uint8_t qs[128];
};

struct BlockQ5K {
  std::uint16_t d, dmin;    // f16
  std::uint8_t scales[12];  // as in q4_k
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};

struct BlockQ6K {
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  std::uint16_t d;  // f16
};

struct BlockIq4Nl {
  std::uint16_t d;      // f16
  std::uint8_t qs[16];  // indices into kIq4Values
};

struct BlockIq4Xs {
  std::uint16_t d;           // f16
  std::uint16_t scales_h;    // upper 2 bits of 8 scales
  std::uint8_t scales_l[4];  // lower 4 bits of 8 scales
  std::uint8_t qs[128];
};

struct BlockMxfp4 {
  std::uint8_t e;       // e8m0: a power of two
  std::uint8_t qs[16];  // indices into kMxfp4Values
};

#pragma pack(pop)

static_assert(sizeof(BlockQ4_0) == 18);
static_assert(sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2K) == 84);
static_assert(sizeof(BlockQ3K) == 110);
static_assert(sizeof(BlockQ4K) == 144);
static_assert(sizeof(BlockQ5K) == 176);
static_assert(sizeof(BlockQ6K) == 210);
static_assert(sizeof(BlockIq4Nl) == 18);
static_assert(sizeof(BlockIq4Xs) == 136);
static_assert(sizeof(BlockMxfp4) == 17);

// The levels of iq4_nl and iq4_xs: denser near zero, as weights are.
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// The 4-bit floats of mxfp4 (1 sign, 2 exponent, 1 mantissa bit), doubled so that they are
// integers.
inline constexpr std::int8_t kMxfp4Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                 0, -1, -2, -3, -4, -6, -8, -12};

// Half of the power of two 2^(e - 127) that an e8m0 byte stands for: the factor of the doubled
// kMxfp4Values.
inline float e8m0_half(std::uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<std::uint32_t>(e - 1) << 23);
}

// The 6-bit scale and minimum of sub-block j (0-7) of q4_k and q5_k.
struct ScaleMin {
  std::uint8_t scale, min;
};
inline ScaleMin scale_min_k4(const std::uint8_t* scales, int j) {
  if (j < 4)
    return {static_cast<std::uint8_t>(scales[j] & 63),
            static_cast<std::uint8_t>(scales[j + 4] & 63)};
  return {static_cast<std::uint8_t>((scales[j + 4] & 0x0f) | (scales[j - 4] >> 6) << 4),
          static_cast<std::uint8_t>((scales[j + 4] >> 4) | (scales[j] >> 6) << 4)};
}

// The scale of sub-block j (0-15) of q3_k, in [-32, 31].
inline int scale_q3k(const std::uint8_t* scales, int j) {
  const int low = j < 8 ? scales[j] & 0x0f : scales[j - 8] >> 4;
  const int high = scales[8 + j % 4] >> (2 * (j / 4)) & 3;
  return (low | high << 4) - 32;
}

// The scale of sub-block j (0-7) of iq4_xs, in [-32, 31].
inline int scale_iq4xs(const BlockIq4Xs& block, int j) {
  const int low = block.scales_l[j / 2] >> (4 * (j % 2)) & 0x0f;
  const int high = block.scales_h >> (2 * j) & 3;
  return (low | high << 4) - 32;
}

}  // namespace drystone

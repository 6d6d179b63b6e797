#include "compute/blocks/dequantize.h"

#include <cstring>

#include "base/check.h"
#include "compute/blocks/blocks.h"
#include "compute/blocks/half.h"

// The order of the multiplications below is part of the result: other readers of these formats
// compute the scale of a sub-block first (one rounding), then the weight (a second one), and so do
// we.

namespace drystone {
namespace {

void dequantize(const BlockQ4_0& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    y[j] = static_cast<float>((b.qs[j] & 0x0f) - 8) * d;
    y[j + 16] = static_cast<float>((b.qs[j] >> 4) - 8) * d;
  }
}

void dequantize(const BlockQ4_1& b, float* y) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int j = 0; j < 16; ++j) {
    y[j] = static_cast<float>(b.qs[j] & 0x0f) * d + m;
    y[j + 16] = static_cast<float>(b.qs[j] >> 4) * d + m;
  }
}

std::uint32_t load_u32(const std::uint8_t* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

void dequantize(const BlockQ5_0& b, float* y) {
  const float d = f16_to_f32(b.d);
  const std::uint32_t high = load_u32(b.qh);
  for (int j = 0; j < 16; ++j) {
    const int low = static_cast<int>((b.qs[j] & 0x0f) | (high >> j & 1u) << 4);
    const int up = static_cast<int>((b.qs[j] >> 4) | (high >> (j + 16) & 1u) << 4);
    y[j] = static_cast<float>(low - 16) * d;
    y[j + 16] = static_cast<float>(up - 16) * d;
  }
}

void dequantize(const BlockQ5_1& b, float* y) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  const std::uint32_t high = load_u32(b.qh);
  for (int j = 0; j < 16; ++j) {
    const int low = static_cast<int>((b.qs[j] & 0x0f) | (high >> j & 1u) << 4);
    const int up = static_cast<int>((b.qs[j] >> 4) | (high >> (j + 16) & 1u) << 4);
    y[j] = static_cast<float>(low) * d + m;
    y[j + 16] = static_cast<float>(up) * d + m;
  }
}

void dequantize(const BlockQ8_0& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 32; ++j) y[j] = static_cast<float>(b.qs[j]) * d;
}

void dequantize(const BlockQ2K& b, float* y) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int s = 0; s < 16; ++s) {  // sub-blocks of 16 weights
    const float scale = d * static_cast<float>(b.scales[s] & 0x0f);
    const float min = dmin * static_cast<float>(b.scales[s] >> 4);
    const std::uint8_t* q = b.qs + s / 8 * 32 + s % 2 * 16;
    const int shift = s % 8 / 2 * 2;
    for (int l = 0; l < 16; ++l)
      y[16 * s + l] = scale * static_cast<float>(q[l] >> shift & 3) - min;
  }
}

void dequantize(const BlockQ3K& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int s = 0; s < 16; ++s) {  // sub-blocks of 16 weights
    const float scale = d * static_cast<float>(scale_q3k(b.scales, s));
    const std::uint8_t* q = b.qs + s / 8 * 32 + s % 2 * 16;
    const std::uint8_t* high = b.hmask + s % 2 * 16;
    const int shift = s % 8 / 2 * 2, high_shift = s / 2;
    for (int l = 0; l < 16; ++l) {
      const int value = (q[l] >> shift & 3) | (high[l] >> high_shift & 1) << 2;
      y[16 * s + l] = scale * static_cast<float>(value - 4);
    }
  }
}

void dequantize(const BlockQ4K& b, float* y) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int s = 0; s < 8; ++s) {  // sub-blocks of 32 weights
    const ScaleMin sm = scale_min_k4(b.scales, s);
    const float scale = d * static_cast<float>(sm.scale), min = dmin * static_cast<float>(sm.min);
    const std::uint8_t* q = b.qs + s / 2 * 32;
    const int shift = s % 2 * 4;
    for (int l = 0; l < 32; ++l)
      y[32 * s + l] = scale * static_cast<float>(q[l] >> shift & 0x0f) - min;
  }
}

void dequantize(const BlockQ5K& b, float* y) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int s = 0; s < 8; ++s) {  // sub-blocks of 32 weights
    const ScaleMin sm = scale_min_k4(b.scales, s);
    const float scale = d * static_cast<float>(sm.scale), min = dmin * static_cast<float>(sm.min);
    const std::uint8_t* q = b.qs + s / 2 * 32;
    const int shift = s % 2 * 4;
    for (int l = 0; l < 32; ++l) {
      const int value = (q[l] >> shift & 0x0f) | (b.qh[l] >> s & 1) << 4;
      y[32 * s + l] = scale * static_cast<float>(value) - min;
    }
  }
}

void dequantize(const BlockQ6K& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int s = 0; s < 16; ++s) {  // sub-blocks of 16 weights
    const float scale = d * static_cast<float>(b.scales[s]);
    const int within = s % 8, first = s % 2 * 16;
    const std::uint8_t* low = b.ql + s / 8 * 64 + within / 2 % 2 * 32 + first;
    const std::uint8_t* high = b.qh + s / 8 * 32 + first;
    const int low_shift = within / 4 * 4, high_shift = within / 2 * 2;
    for (int l = 0; l < 16; ++l) {
      const int value = (low[l] >> low_shift & 0x0f) | (high[l] >> high_shift & 3) << 4;
      y[16 * s + l] = scale * static_cast<float>(value - 32);
    }
  }
}

void dequantize(const BlockIq4Nl& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    y[j] = d * static_cast<float>(kIq4Values[b.qs[j] & 0x0f]);
    y[j + 16] = d * static_cast<float>(kIq4Values[b.qs[j] >> 4]);
  }
}

void dequantize(const BlockIq4Xs& b, float* y) {
  const float d = f16_to_f32(b.d);
  for (int s = 0; s < 8; ++s) {  // sub-blocks of 32 weights
    const float scale = d * static_cast<float>(scale_iq4xs(b, s));
    const std::uint8_t* q = b.qs + 16 * s;
    for (int j = 0; j < 16; ++j) {
      y[32 * s + j] = scale * static_cast<float>(kIq4Values[q[j] & 0x0f]);
      y[32 * s + j + 16] = scale * static_cast<float>(kIq4Values[q[j] >> 4]);
    }
  }
}

void dequantize(const BlockMxfp4& b, float* y) {
  const float d = e8m0_half(b.e);
  for (int j = 0; j < 16; ++j) {
    y[j] = static_cast<float>(kMxfp4Values[b.qs[j] & 0x0f]) * d;
    y[j + 16] = static_cast<float>(kMxfp4Values[b.qs[j] >> 4]) * d;
  }
}

template <typename Block, int kWeights>
void dequantize_blocks(const std::byte* src, float* dst, std::uint64_t n) {
  const auto* blocks = reinterpret_cast<const Block*>(src);  // alignment 1
  for (std::uint64_t i = 0; i < n / kWeights; ++i) dequantize(blocks[i], dst + i * kWeights);
}

template <float (*convert)(std::uint16_t)>
void widen(const std::byte* src, float* dst, std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i) {
    std::uint16_t value;
    std::memcpy(&value, src + 2 * i, sizeof value);
    dst[i] = convert(value);
  }
}

}  // namespace

void dequantize_row(DType type, const std::byte* src, float* dst, std::uint64_t n) {
  CHECK(n % dtype_info(type).block_elems == 0, to_string(type), n);
  switch (type) {
    case DType::f32:
      if (n > 0) std::memcpy(dst, src, n * sizeof(float));
      return;
    case DType::f16:
      return widen<f16_to_f32>(src, dst, n);
    case DType::bf16:
      return widen<bf16_to_f32>(src, dst, n);
    case DType::q8_0:
      return dequantize_blocks<BlockQ8_0, kSmallBlock>(src, dst, n);
    case DType::q4_0:
      return dequantize_blocks<BlockQ4_0, kSmallBlock>(src, dst, n);
    case DType::q4_1:
      return dequantize_blocks<BlockQ4_1, kSmallBlock>(src, dst, n);
    case DType::q5_0:
      return dequantize_blocks<BlockQ5_0, kSmallBlock>(src, dst, n);
    case DType::q5_1:
      return dequantize_blocks<BlockQ5_1, kSmallBlock>(src, dst, n);
    case DType::q2_k:
      return dequantize_blocks<BlockQ2K, kSuperBlock>(src, dst, n);
    case DType::q3_k:
      return dequantize_blocks<BlockQ3K, kSuperBlock>(src, dst, n);
    case DType::q4_k:
      return dequantize_blocks<BlockQ4K, kSuperBlock>(src, dst, n);
    case DType::q5_k:
      return dequantize_blocks<BlockQ5K, kSuperBlock>(src, dst, n);
    case DType::q6_k:
      return dequantize_blocks<BlockQ6K, kSuperBlock>(src, dst, n);
    case DType::iq4_nl:
      return dequantize_blocks<BlockIq4Nl, kSmallBlock>(src, dst, n);
    case DType::iq4_xs:
      return dequantize_blocks<BlockIq4Xs, kSuperBlock>(src, dst, n);
    case DType::mxfp4:
      return dequantize_blocks<BlockMxfp4, kSmallBlock>(src, dst, n);
    default:
      CHECK(false, to_string(type));
  }
}

}  // namespace drystone

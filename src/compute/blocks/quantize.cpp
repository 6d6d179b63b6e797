#include "compute/blocks/quantize.h"

#include <cstring>

#include "base/check.h"
#include "compute/blocks/half.h"
#include "compute/blocks/quantize_blocks.h"

namespace drystone {
namespace {

template <typename Block, int kWeights>
void quantize_blocks(const float* src, std::byte* dst, std::uint64_t n, const float* importance) {
  auto* blocks = reinterpret_cast<Block*>(dst);  // alignment 1
  for (std::uint64_t i = 0; i < n / kWeights; ++i)
    quantize_block(src + i * kWeights, importance ? importance + i * kWeights : nullptr, blocks[i]);
}

template <std::uint16_t (*convert)(float)>
void narrow(const float* src, std::byte* dst, std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint16_t value = convert(src[i]);
    std::memcpy(dst + 2 * i, &value, sizeof value);
  }
}

}  // namespace

void quantize_row(DType type, const float* src, std::byte* dst, std::uint64_t n,
                  const float* importance) {
  CHECK(n % dtype_info(type).block_elems == 0, to_string(type), n);
  switch (type) {
    case DType::f32:
      if (n > 0) std::memcpy(dst, src, n * sizeof(float));
      return;
    case DType::f16:
      return narrow<f32_to_f16>(src, dst, n);
    case DType::bf16:
      return narrow<f32_to_bf16>(src, dst, n);
    case DType::q8_0:
      return quantize_blocks<BlockQ8_0, kSmallBlock>(src, dst, n, importance);
    case DType::q4_0:
      return quantize_blocks<BlockQ4_0, kSmallBlock>(src, dst, n, importance);
    case DType::q4_1:
      return quantize_blocks<BlockQ4_1, kSmallBlock>(src, dst, n, importance);
    case DType::q5_0:
      return quantize_blocks<BlockQ5_0, kSmallBlock>(src, dst, n, importance);
    case DType::q5_1:
      return quantize_blocks<BlockQ5_1, kSmallBlock>(src, dst, n, importance);
    case DType::q2_k:
      return quantize_blocks<BlockQ2K, kSuperBlock>(src, dst, n, importance);
    case DType::q3_k:
      return quantize_blocks<BlockQ3K, kSuperBlock>(src, dst, n, importance);
    case DType::q4_k:
      return quantize_blocks<BlockQ4K, kSuperBlock>(src, dst, n, importance);
    case DType::q5_k:
      return quantize_blocks<BlockQ5K, kSuperBlock>(src, dst, n, importance);
    case DType::q6_k:
      return quantize_blocks<BlockQ6K, kSuperBlock>(src, dst, n, importance);
    case DType::iq4_nl:
      return quantize_blocks<BlockIq4Nl, kSmallBlock>(src, dst, n, importance);
    case DType::iq4_xs:
      return quantize_blocks<BlockIq4Xs, kSuperBlock>(src, dst, n, importance);
    case DType::mxfp4:
      return quantize_blocks<BlockMxfp4, kSmallBlock>(src, dst, n, importance);
    default:
      CHECK(false, to_string(type));
  }
}

}  // namespace drystone

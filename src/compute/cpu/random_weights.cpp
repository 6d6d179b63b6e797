#include "compute/cpu/random_weights.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "compute/blocks/half.h"

namespace drystone {
namespace {

// Where a block keeps its f16 scales.
std::vector<std::size_t> half_offsets(DType type) {
  switch (type) {
    case DType::q4_0:
    case DType::q5_0:
    case DType::q8_0:
    case DType::iq4_nl:
    case DType::iq4_xs:
      return {0};
    case DType::q4_1:
    case DType::q5_1:
    case DType::q4_k:
    case DType::q5_k:
      return {0, 2};
    case DType::q2_k:
      return {80, 82};
    case DType::q3_k:
      return {108};
    case DType::q6_k:
      return {208};
    default:
      return {};
  }
}

}  // namespace

std::vector<std::byte> random_weights(DType type, std::size_t elems, Rng& rng) {
  std::vector<std::byte> bytes(row_bytes(type, elems));
  if (type == DType::f32 || type == DType::f16 || type == DType::bf16) {
    for (std::size_t i = 0; i < elems; ++i) {
      const float value = rng.normal();
      const std::uint16_t half = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
      if (type == DType::f32)
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      else
        std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
    return bytes;
  }
  for (auto& byte : bytes) byte = static_cast<std::byte>(rng.next() & 255);
  const std::size_t block = dtype_info(type).block_bytes;
  for (std::size_t at = 0; at < bytes.size(); at += block) {
    if (type == DType::mxfp4) bytes[at] = static_cast<std::byte>(118 + rng.next() % 8);
    for (const std::size_t offset : half_offsets(type)) {
      const std::uint16_t half = f32_to_f16((0.5f + rng.uniform()) * 0.01f);
      std::memcpy(bytes.data() + at + offset, &half, 2);
    }
  }
  return bytes;
}

}  // namespace drystone

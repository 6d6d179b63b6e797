#pragma once

#include <bit>
#include <cstdint>

// 16-bit floating point, as integers of 16 bits: IEEE binary16 ("f16") and bfloat16. Portable,
// without branches so that compilers turn loops over them into vector code. Conversions to 16 bits
// round to nearest, ties to even; NaNs stay NaNs (quiet, with the sign and the upper part of their
// payload), infinities stay infinities.

namespace drystone {

inline float f16_to_f32(std::uint16_t half) {
  const std::uint32_t magnitude = half & 0x7fffu;
  // Exponent and mantissa moved into place; the product corrects the bias, and it makes subnormals
  // normal numbers.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled);
  bits = magnitude >= 0x7c00u ? bits | 0x7f800000u : bits;
  return std::bit_cast<float>(bits | (half & 0x8000u) << 16);
}

inline std::uint16_t f32_to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 a half counts in units of 2^-24, which is what the last bit of a float in [0.5, 1)
  // stands for.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  std::uint32_t half = magnitude < 0x38800000u ? small : normal;
  half = magnitude >= 0x47800000u ? 0x7c00u : half;
  half = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ffu) : half;
  return static_cast<std::uint16_t>(half | (bits >> 16 & 0x8000u));
}

inline float bf16_to_f32(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

inline std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const std::uint32_t nan = bits >> 16 | 0x40u;
  return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

}  // namespace drystone

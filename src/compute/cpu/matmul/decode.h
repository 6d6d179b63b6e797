#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/dtype.h"

// How the kernels read each quantized type from packed units (matmul/layout.h), 16 rows at once,
// over any instruction set's Lanes. A decoder stands on one block of a panel:
//
//   code<S, J>()  4 consecutive codes of each row: elements S * kSub + 4 J .. + 3 of the block, one
//   byte each scale<S>()    f32 of each row: value = scale * (code - offset) [+ minimum]
//   minimum<S>()  f32 of each row, for types that have one
//
// The block layouts are those of docs/formats/blocks.md.

namespace drystone {

// Codes of signed types are int8 values (offset 0); of the others, unsigned with at most kBits
// bits.
template <typename L, DType kType>
struct BlockDecoder;

// What all decoders share: `units` and `tails` of their block.
template <typename L>
struct BlockUnits {
  // Whether products come by the lines of a block in their order; not where high bits stand apart.
  static constexpr bool kForwards = true;
  const std::byte* units;
  const std::byte* tails;
  typename L::I unit(int u) const { return L::load(units + 64 * u); }
};

// The blocks of one panel of a packed matrix, by their decoder D: where matmul/layout.h puts them,
// with D's constants.
template <typename D>
class PanelBlocks {
 public:
  static std::size_t panel_bytes(std::uint32_t cols) {
    const std::size_t blocks = cols / D::kBlock;
    return blocks * D::kUnits * 64 + (blocks + kGroup - 1) / kGroup * kTails;
  }
  PanelBlocks(const std::byte* panels, std::uint32_t panel, std::uint32_t cols)
      : panel_(panels + panel * panel_bytes(cols)) {}
  D operator[](std::size_t block) const {
    const std::byte* group = panel_ + block / kGroup * (kTails + kGroup * D::kUnits * 64);
    return D{
        {group + kTails + block % kGroup * D::kUnits * 64, group + block % kGroup * D::kTail * 16}};
  }

 private:
  // Blocks whose tails share a line, and the bytes of that.
  static constexpr std::size_t kGroup = D::kTail > 0 ? 4 / D::kTail : 1,
                               kTails = D::kTail > 0 ? 64 : 0;
  const std::byte* panel_;
};

// The low (S even) or high nibbles of a unit.
template <typename L, bool kHigh>
inline typename L::I nibbles(typename L::I unit) {
  if constexpr (kHigh) unit = L::template shift_right<4>(unit);
  return L::bit_and(unit, L::set_all(0x0f0f0f0f));
}

// Bit `kBit` of each byte, moved to bit `kTo`.
template <typename L, int kBit, int kTo>
inline typename L::I bit_of_bytes(typename L::I unit) {
  constexpr int kMask = 0x01010101 << kTo;
  if constexpr (kBit > kTo)
    unit = L::template shift_right<kBit - kTo>(unit);
  else if constexpr (kBit < kTo)
    unit = L::template shift_left<kTo - kBit>(unit);
  return L::bit_and(unit, L::set_all(kMask));
}

// Byte kByte of each 32-bit lane, unsigned.
template <typename L, int kByte>
inline typename L::I byte_of_lanes(typename L::I lanes) {
  return L::bit_and(L::template shift_right<8 * kByte>(lanes), L::set_all(0xff));
}

template <typename L>
struct BlockDecoder<L, DType::q4_0> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 4, kOffset = 8;
  static constexpr bool kSigned = false, kMinimum = false;
  static constexpr int kUnits = 4, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    return nibbles<L, (J >= 4)>(this->unit(J % 4));
  }
  template <int S>
  typename L::F scale() const {
    return L::load_f16(this->tails);
  }
};

template <typename L>
struct BlockDecoder<L, DType::q4_1> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 4, kOffset = 0;
  static constexpr bool kSigned = false, kMinimum = true;
  static constexpr int kUnits = 5, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    return nibbles<L, (J >= 4)>(this->unit(1 + J % 4));
  }
  template <int S>
  typename L::F scale() const {
    return L::f16_low(this->unit(0));
  }
  template <int S>
  typename L::F minimum() const {
    return L::f16_high(this->unit(0));
  }
};

template <typename L>
struct BlockDecoder<L, DType::q5_0> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 5, kOffset = 16;
  static constexpr bool kSigned = false, kMinimum = false;
  static constexpr int kUnits = 5, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    return L::bit_or(nibbles<L, (J >= 4)>(this->unit(1 + J % 4)),
                     bit_of_bytes<L, J, 4>(this->unit(0)));
  }
  template <int S>
  typename L::F scale() const {
    return L::load_f16(this->tails);
  }
};

template <typename L>
struct BlockDecoder<L, DType::q5_1> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 5, kOffset = 0;
  static constexpr bool kSigned = false, kMinimum = true;
  static constexpr int kUnits = 6, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    return L::bit_or(nibbles<L, (J >= 4)>(this->unit(2 + J % 4)),
                     bit_of_bytes<L, J, 4>(this->unit(1)));
  }
  template <int S>
  typename L::F scale() const {
    return L::f16_low(this->unit(0));
  }
  template <int S>
  typename L::F minimum() const {
    return L::f16_high(this->unit(0));
  }
};

template <typename L>
struct BlockDecoder<L, DType::q8_0> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 8, kOffset = 0;
  static constexpr bool kSigned = true, kMinimum = false;
  static constexpr int kUnits = 8, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    return this->unit(J);
  }
  template <int S>
  typename L::F scale() const {
    return L::load_f16(this->tails);
  }
};

// The 16 values of IQ4_NL and IQ4_XS, and of MXFP4 (twice those of e2m1, so that they are whole
// numbers).
alignas(16) inline constexpr std::int8_t kIq4Values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
alignas(16) inline constexpr std::int8_t kMxfp4Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                             0, -1, -2, -3, -4, -6, -8, -12};

template <typename L>
struct BlockDecoder<L, DType::iq4_nl> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 8, kOffset = 0;
  static constexpr bool kSigned = true, kMinimum = false;
  static constexpr int kUnits = 4, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    return L::look_up(kIq4Values, nibbles<L, (J >= 4)>(this->unit(J % 4)));
  }
  template <int S>
  typename L::F scale() const {
    return L::load_f16(this->tails);
  }
};

template <typename L>
struct BlockDecoder<L, DType::mxfp4> : BlockUnits<L> {
  static constexpr int kBlock = 32, kSub = 32, kBits = 8, kOffset = 0;
  static constexpr bool kSigned = true, kMinimum = false;
  static constexpr int kUnits = 4, kTail = 1;
  template <int S, int J>
  typename L::I code() const {
    return L::look_up(kMxfp4Values, nibbles<L, (J >= 4)>(this->unit(J % 4)));
  }
  template <int S>
  typename L::F scale() const {
    return L::load_e8m0_half(this->tails);
  }
};

// Scales and minimums of Q4_K and Q5_K: units 1..3 hold 8 + 8 numbers of 6 bits.
template <typename L>
struct SixBitScales : BlockUnits<L> {
  template <int S>
  typename L::I packed_scales() const {
    if constexpr (S < 4) return L::bit_and(this->unit(1), L::set_all(0x3f3f3f3f));
    return L::bit_or(L::bit_and(this->unit(3), L::set_all(0x0f0f0f0f)),
                     L::bit_and(L::template shift_right<2>(this->unit(1)), L::set_all(0x30303030)));
  }
  template <int S>
  typename L::I packed_minimums() const {
    if constexpr (S < 4) return L::bit_and(this->unit(2), L::set_all(0x3f3f3f3f));
    return L::bit_or(nibbles<L, true>(this->unit(3)),
                     L::bit_and(L::template shift_right<2>(this->unit(2)), L::set_all(0x30303030)));
  }
  template <int S>
  typename L::F scale() const {
    return L::mul(L::f16_low(this->unit(0)),
                  L::to_float(byte_of_lanes<L, S % 4>(packed_scales<S>())));
  }
  template <int S>
  typename L::F minimum() const {
    return L::negate(L::mul(L::f16_high(this->unit(0)),
                            L::to_float(byte_of_lanes<L, S % 4>(packed_minimums<S>()))));
  }
};

template <typename L>
struct BlockDecoder<L, DType::q4_k> : SixBitScales<L> {
  static constexpr int kBlock = 256, kSub = 32, kBits = 4, kOffset = 0;
  static constexpr bool kSigned = false, kMinimum = true;
  static constexpr int kUnits = 36, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    return nibbles<L, (S % 2 == 1)>(this->unit(4 + 8 * (S / 2) + J));
  }
};

template <typename L>
struct BlockDecoder<L, DType::q5_k> : SixBitScales<L> {
  static constexpr bool kForwards = false;
  static constexpr int kBlock = 256, kSub = 32, kBits = 5, kOffset = 0;
  static constexpr bool kSigned = false, kMinimum = true;
  static constexpr int kUnits = 44, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    return L::bit_or(nibbles<L, (S % 2 == 1)>(this->unit(12 + 8 * (S / 2) + J)),
                     bit_of_bytes<L, S, 4>(this->unit(4 + J)));
  }
};

// Q2_K, Q3_K and Q6_K: 16 sub-blocks of 16. Element 128 n + 32 p + l is field p of byte 32 n + l.
template <typename L>
struct BlockDecoder<L, DType::q6_k> : BlockUnits<L> {
  static constexpr bool kForwards = false;
  static constexpr int kBlock = 256, kSub = 16, kBits = 6, kOffset = 32;
  static constexpr bool kSigned = false, kMinimum = false;
  static constexpr int kUnits = 52, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    constexpr int n = S / 8, p = S % 8 / 2, l = 4 * (S % 2) + J;
    const auto high = L::bit_and(
        [&] {
          const auto unit = this->unit(32 + 8 * n + l);
          if constexpr (2 * p > 4)
            return L::template shift_right<2 * p - 4>(unit);
          else
            return L::template shift_left<4 - 2 * p>(unit);
        }(),
        L::set_all(0x30303030));
    return L::bit_or(nibbles<L, (p >= 2)>(this->unit(16 * n + 8 * (p % 2) + l)), high);
  }
  template <int S>
  typename L::F scale() const {
    return L::mul(L::load_f16(this->tails),
                  L::to_float(L::template signed_byte<S % 4>(this->unit(48 + S / 4))));
  }
};

template <typename L>
struct BlockDecoder<L, DType::q3_k> : BlockUnits<L> {
  static constexpr bool kForwards = false;
  static constexpr int kBlock = 256, kSub = 16, kBits = 3, kOffset = 4;
  static constexpr bool kSigned = false, kMinimum = false;
  static constexpr int kUnits = 27, kTail = 2;
  template <int S, int J>
  typename L::I code() const {
    constexpr int n = S / 8, p = S % 8 / 2, l = 4 * (S % 2) + J;
    const auto low = L::bit_and(L::template shift_right<2 * p>(this->unit(8 + 8 * n + l)),
                                L::set_all(0x03030303));
    return L::bit_or(low, bit_of_bytes<L, 4 * n + p, 2>(this->unit(l)));
  }
  // 16 scales of 6 bits, less 32: the low 4 bits in units 24 and 25, the high 2 in unit 26.
  template <int S>
  typename L::F scale() const {
    constexpr int word = S / 4;
    const auto low = nibbles<L, (word >= 2)>(this->unit(24 + word % 2));
    const auto high =
        L::bit_and(L::template shift_right<2 * word>(this->unit(26)), L::set_all(0x03030303));
    const auto six = L::bit_or(low, L::template shift_left<4>(high));
    const auto scale = L::to_float(L::sub_i32(byte_of_lanes<L, S % 4>(six), L::set_all(32)));
    return L::mul(L::load_f16(this->tails), scale);
  }
};

template <typename L>
struct BlockDecoder<L, DType::q2_k> : BlockUnits<L> {
  static constexpr int kBlock = 256, kSub = 16, kBits = 2, kOffset = 0;
  static constexpr bool kSigned = false, kMinimum = true;
  static constexpr int kUnits = 21, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    constexpr int n = S / 8, p = S % 8 / 2, l = 4 * (S % 2) + J;
    return L::bit_and(L::template shift_right<2 * p>(this->unit(4 + 8 * n + l)),
                      L::set_all(0x03030303));
  }
  template <int S>
  typename L::F scale() const {
    const auto nibble = nibbles<L, false>(this->unit(S / 4));
    return L::mul(L::f16_low(this->unit(20)), L::to_float(byte_of_lanes<L, S % 4>(nibble)));
  }
  template <int S>
  typename L::F minimum() const {
    const auto nibble = nibbles<L, true>(this->unit(S / 4));
    return L::negate(
        L::mul(L::f16_high(this->unit(20)), L::to_float(byte_of_lanes<L, S % 4>(nibble))));
  }
};

template <typename L>
struct BlockDecoder<L, DType::iq4_xs> : BlockUnits<L> {
  static constexpr int kBlock = 256, kSub = 32, kBits = 8, kOffset = 0;
  static constexpr bool kSigned = true, kMinimum = false;
  static constexpr int kUnits = 34, kTail = 0;
  template <int S, int J>
  typename L::I code() const {
    return L::look_up(kIq4Values, nibbles<L, (J >= 4)>(this->unit(2 + 4 * S + J % 4)));
  }
  // 8 scales of 6 bits, less 32: the low 4 bits in unit 1, the high 2 in the upper half of unit 0.
  template <int S>
  typename L::F scale() const {
    const auto low = L::bit_and(L::template shift_right<4 * S>(this->unit(1)), L::set_all(0x0f));
    const auto high = L::bit_and(L::template shift_right<16 + 2 * S>(this->unit(0)), L::set_all(3));
    const auto six = L::bit_or(low, L::template shift_left<4>(high));
    return L::mul(L::f16_low(this->unit(0)), L::to_float(L::sub_i32(six, L::set_all(32))));
  }
};

}  // namespace drystone

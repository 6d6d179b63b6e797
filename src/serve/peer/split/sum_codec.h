#pragma once

#include <cstddef>
#include <span>

namespace drystone {

// How a rank's part of a sum stands on the wire: blocks of kSumBlock values, each an f32 scale,
// then an i16 for each value: half the bytes of f32. A value is off by at most 1/65534 of the
// largest one of its block, a hundredth of what rounding the inputs of the next product to 8 bits
// takes. A block with a value that is not finite is all NaN.
//
// Decoding rounds alike on every processor, so ranks of all kinds hold the same sum. Counts of
// values are multiples of kSumBlock.

// `bytes`: sum_bytes(values.size()), cluster/plan/row_format.h.
void encode_sum(std::span<const float> values, std::span<std::byte> bytes);
// values = what `bytes` hold.
void decode_sum(std::span<const std::byte> bytes, std::span<float> values);
// values = a + b.
void decode_sum(std::span<const std::byte> a, std::span<const std::byte> b,
                std::span<float> values);
// values += what `bytes` hold.
void add_sum(std::span<const std::byte> bytes, std::span<float> values);

}  // namespace drystone

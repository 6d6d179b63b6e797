#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/dtype.h"

namespace drystone {

// Weights as float32: the exact values that the blocks stand for, the same on every machine.
//   src  row_bytes(type, n) bytes, any alignment; any content is valid
//   dst  f32 [n]
// `type` must be one that is computed with (dtype_info), `n` a multiple of its block.
void dequantize_row(DType type, const std::byte* src, float* dst, std::uint64_t n);

}  // namespace drystone

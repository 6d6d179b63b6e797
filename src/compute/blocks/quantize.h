#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/dtype.h"

namespace drystone {

// Float32 weights to blocks of `type`. Deterministic: the same bytes on every machine, whatever the
// threads; blocks are independent of each other, so rows may be cut at block borders and quantized
// in parallel.
//   src         f32 [n]; finite (a block with an infinity or NaN gets meaningless weights, nothing
//   worse) dst         row_bytes(type, n) bytes, any alignment importance  null, or f32 [n], not
//   negative: how much an error of each weight matters (an "importance matrix");
//               types without a search for scales (f32, f16, bf16, q8_0, mxfp4) do without
// `type` must be one that is computed with (dtype_info), `n` a multiple of its block.
void quantize_row(DType type, const float* src, std::byte* dst, std::uint64_t n,
                  const float* importance);

}  // namespace drystone

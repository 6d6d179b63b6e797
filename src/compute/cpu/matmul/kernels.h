#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/dtype.h"

// What an instruction set brings to a matrix product. All of these compute the same sums: for one
// output and one row, over sub-blocks b in rising order (16 or 32 inputs with one weight scale),
//
//   group sum = fma(float(dot(codes_b, a_b)), weight_scale_b, group sum)
//   group sum = fma(weight_min_b, float(sum(a_b)), group sum)             types with a minimum
//   acc = fma(group sum, a_scale, acc)                                    after each group of 128
//   inputs
//
// with exact integer dots, or acc = fma(w_k, x_k, acc) over rising k for float weights. So every
// instruction set gives the same bits, whatever the number of rows, threads or panels. Exceptions:
// AMX has another arithmetic for prompt rows, AVX512-FP16 for f16 weights (avx512_fp16/).

namespace drystone {

// Inputs that share a scale. 32 would halve the rounding error of outlier-heavy rows but cost a
// multiplication per dot product; 256 is what others take for K-quants. The last group of a row may
// be shorter.
constexpr std::uint32_t kScaleGroup = 128;
inline constexpr std::uint32_t scale_groups(std::uint32_t cols) {
  return (cols + kScaleGroup - 1) / kScaleGroup;
}

// Inputs that share a scale where f16 weights are multiplied in f16, and the bound of such weights:
// sums of half a group stay in f16's range.
constexpr std::uint32_t kHalfGroup = 64;
constexpr float kHalfWeightMax = 1024;

// Input rows of a product, quantized by groups: x ~ q * scale, q in [-127, 127].
struct InputView {
  const float* x;        // f32 [rows, cols]: the original
  const std::int8_t* q;  // [rows, cols]
  const float* scales;   // [rows, scale_groups(cols)]
  const std::int32_t*
      bias;  // [rows, cols / sub]: -offset * sum of q over a sub-block, for the weights' type
  const float* sums;          // [rows, cols / sub]: sum of q, for types with a minimum
  const std::uint16_t* bf16;  // prompt rows as to_tiles() makes them, where it is there
  // As to_halves() makes them; null where these weights are not to be multiplied in f16.
  const std::uint16_t* halves;  // [rows, cols]
  const float* half_scales;     // [rows, cols / kHalfGroup]
  std::uint32_t cols;
};

// Panels [panel_begin, panel_end) of packed weights, times rows [row_begin, row_end) of the input.
struct PanelProduct {
  DType type;
  const std::byte* panels;  // of the whole matrix
  std::uint32_t rows;       // outputs of the whole matrix
  std::uint32_t panel_begin, panel_end;
  std::uint32_t panel_ahead;  // what this thread reads next probably goes on until here
  // Whether generated() asks for weights before a single row uses them; several rows always do.
  bool ask_ahead;
  InputView input;
  std::uint32_t row_begin, row_end;
  const float* out_bias;  // f32 [rows], or null
  float* out;             // f32 [input rows, rows], `out_stride` values from row to row
  std::size_t out_stride;
  bool accumulate;
  std::byte* scratch;  // scratch_bytes of this thread alone, 64-byte aligned
};

struct MatmulKernels {
  // Quantizes one row (cols a multiple of 32) to q and scales.
  void (*quantize)(const float* x, std::uint32_t cols, std::int8_t* q, float* scales);
  void (*generated)(const PanelProduct& product);
  void (*prompt)(const PanelProduct& product);
  // What the kernels subtract from every code of a type: the input's bias is -offset times its
  // sums.
  std::int32_t (*offset)(DType type);
  // Row `row` of the prompt rows, f32 [cols] with cols a multiple of 32, into bf16 tiles
  // (amx/products_amx.h). Null where prompt() does not read them. A buffer for `rows` rows holds
  // (rows rounded up to 32) * cols values.
  void (*to_tiles)(const float* x, std::uint32_t cols, std::uint32_t row, std::uint16_t* tiles);
  // One row, cols a multiple of kHalfGroup, by groups: f16 x / scale, scale = max |x|. Null where
  // f16 weights are multiplied in f32.
  void (*to_halves)(const float* x, std::uint32_t cols, std::uint16_t* halves, float* scales);
  // Panels that prompt() takes at a time: fewer in a product waste work.
  std::uint32_t strip_panels;
  // Scratch of prompt() for a chunk of `rows` rows.
  std::size_t (*scratch_bytes)(std::uint32_t rows);
};

// Sub-block length of a quantized type (elements that share a scale: 16 or 32); 0 for float types.
std::uint32_t sub_block(DType type);

}  // namespace drystone

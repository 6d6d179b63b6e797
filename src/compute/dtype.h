#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace drystone {

// Tensor element types. The numbers are those of GGUF files; docs/formats/gguf.md lists the block
// layouts.
enum class DType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

// What is known of a type. `computed` types can be weights of a running model; the others are known
// by name and size only.
struct DTypeInfo {
  DType type;
  std::string_view name;      // lower case: "q4_k"
  std::uint32_t block_elems;  // elements per block, along a row
  std::uint32_t block_bytes;
  bool computed;
};

// Null for a number that is no known type.
const DTypeInfo* find_dtype(std::uint32_t number);
// By name, case-insensitive: "Q4_0" and "q4_0". Null when unknown.
const DTypeInfo* find_dtype(std::string_view name);
const DTypeInfo& dtype_info(DType type);
inline std::string_view to_string(DType type) { return dtype_info(type).name; }

// Bytes of one row of `elems` elements. `elems` must be a multiple of the type's block.
Bytes row_bytes(DType type, std::uint64_t elems);

}  // namespace drystone

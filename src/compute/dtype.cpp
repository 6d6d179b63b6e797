#include "compute/dtype.h"

#include <algorithm>
#include <cctype>

namespace drystone {
namespace {

// Sizes: facts of the GGUF format; docs/formats/gguf.md.
constexpr DTypeInfo kTypes[] = {
    {DType::f32, "f32", 1, 4, true},
    {DType::f16, "f16", 1, 2, true},
    {DType::q4_0, "q4_0", 32, 18, true},
    {DType::q4_1, "q4_1", 32, 20, true},
    {DType::q5_0, "q5_0", 32, 22, true},
    {DType::q5_1, "q5_1", 32, 24, true},
    {DType::q8_0, "q8_0", 32, 34, true},
    {DType::q8_1, "q8_1", 32, 36, false},
    {DType::q2_k, "q2_k", 256, 84, true},
    {DType::q3_k, "q3_k", 256, 110, true},
    {DType::q4_k, "q4_k", 256, 144, true},
    {DType::q5_k, "q5_k", 256, 176, true},
    {DType::q6_k, "q6_k", 256, 210, true},
    {DType::q8_k, "q8_k", 256, 292, false},
    {DType::iq2_xxs, "iq2_xxs", 256, 66, false},
    {DType::iq2_xs, "iq2_xs", 256, 74, false},
    {DType::iq3_xxs, "iq3_xxs", 256, 98, false},
    {DType::iq1_s, "iq1_s", 256, 50, false},
    {DType::iq4_nl, "iq4_nl", 32, 18, true},
    {DType::iq3_s, "iq3_s", 256, 110, false},
    {DType::iq2_s, "iq2_s", 256, 82, false},
    {DType::iq4_xs, "iq4_xs", 256, 136, true},
    {DType::i8, "i8", 1, 1, false},
    {DType::i16, "i16", 1, 2, false},
    {DType::i32, "i32", 1, 4, false},
    {DType::i64, "i64", 1, 8, false},
    {DType::f64, "f64", 1, 8, false},
    {DType::iq1_m, "iq1_m", 256, 56, false},
    {DType::bf16, "bf16", 1, 2, true},
    {DType::tq1_0, "tq1_0", 256, 54, false},
    {DType::tq2_0, "tq2_0", 256, 66, false},
    {DType::mxfp4, "mxfp4", 32, 17, true},
    {DType::nvfp4, "nvfp4", 64, 36, false},
    {DType::q1_0, "q1_0", 128, 18, false},
    {DType::q2_0, "q2_0", 64, 18, false},
};

}  // namespace

const DTypeInfo* find_dtype(std::uint32_t number) {
  for (const auto& info : kTypes)
    if (static_cast<std::uint32_t>(info.type) == number) return &info;
  return nullptr;
}

const DTypeInfo* find_dtype(std::string_view name) {
  for (const auto& info : kTypes)
    if (std::ranges::equal(info.name, name, {}, {},
                           [](unsigned char c) { return std::tolower(c); }))
      return &info;
  return nullptr;
}

const DTypeInfo& dtype_info(DType type) {
  const DTypeInfo* info = find_dtype(static_cast<std::uint32_t>(type));
  CHECK(info != nullptr, static_cast<std::uint32_t>(type));
  return *info;
}

Bytes row_bytes(DType type, std::uint64_t elems) {
  const DTypeInfo& info = dtype_info(type);
  CHECK(elems % info.block_elems == 0, info.name, elems);
  return elems / info.block_elems * info.block_bytes;
}

}  // namespace drystone

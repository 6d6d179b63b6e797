// Weights come from files of strangers: any bytes must dequantize without undefined behaviour.
// First byte: the type (modulo the computed ones); the rest: blocks.

#include <cstdint>
#include <vector>

#include "compute/blocks/dequantize.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using drystone::DType;
  constexpr DType kTypes[] = {DType::f32,  DType::f16,    DType::bf16,   DType::q8_0,
                              DType::q4_0, DType::q4_1,   DType::q5_0,   DType::q5_1,
                              DType::q2_k, DType::q3_k,   DType::q4_k,   DType::q5_k,
                              DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};
  if (size < 1) return 0;
  const DType type = kTypes[data[0] % std::size(kTypes)];
  const auto& info = drystone::dtype_info(type);
  const std::size_t n = (size - 1) / info.block_bytes * info.block_elems;
  std::vector<float> out(n);
  drystone::dequantize_row(type, reinterpret_cast<const std::byte*>(data + 1), out.data(), n);
  return 0;
}

#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace drystone {

// Instruction sets that have kernels of their own, in rising order on each architecture.
// `amx_emulated` is AMX with its tile registers in plain C++: slow, never chosen by itself, it
// checks the AMX kernels on AVX-512 machines without AMX. `avx512_fp16` multiplies f16 weights in
// f16. `neon` needs the dot-product extension,
// `neon_i8mm` the 8-bit matrix one as well.
enum class Isa { portable, avx2, avx512, avx512_fp16, amx, neon, neon_i8mm, amx_emulated };

std::string_view to_string(Isa isa);

// Those that are built in and that this machine can run; portable is always among them.
std::span<const Isa> available_isas();

// The same and, where it can run, amx_emulated: for tests.
std::span<const Isa> testable_isas();

// The best available one, or the one that `forced` names ("" for none; the daemon passes
// $DRYSTONE_ISA). Errors: invalid_argument  no such name, or not on this machine; the message lists
// what is.
Result<Isa> choose_isa(std::string_view forced);

}  // namespace drystone

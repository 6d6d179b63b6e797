#pragma once

#include "compute/cpu/isa.h"
#include "compute/cpu/matmul/kernels.h"

namespace drystone {

// The tables of the instruction sets (CMake picks the folders by processor).
extern const MatmulKernels kPortableMatmul, kAvx2Matmul, kAvx512Matmul, kAvx512Fp16Matmul,
    kAmxMatmul, kEmulatedAmxMatmul, kNeonMatmul, kI8mmMatmul;

// Null for one that is not built in. tables_x86.cpp, tables_arm.cpp.
const MatmulKernels* matmul_table(Isa isa);

// `isa` must be an available one.
const MatmulKernels& matmul_kernels(Isa isa);

}  // namespace drystone

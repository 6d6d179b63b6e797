#pragma once

#include "compute/cpu/vector_kernels.h"

namespace drystone {

// The tables of the instruction sets (CMake picks the folders by processor).
extern const VectorKernels kPortableVector, kAvx2Vector, kAvx512Vector, kNeonVector;

}  // namespace drystone

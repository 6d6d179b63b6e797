#include "compute/cpu/neon/simd.h"
#include "compute/cpu/vector/kernels.h"
#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels kNeonVector = VectorKernelSet<NeonSimd>::table();

}  // namespace drystone

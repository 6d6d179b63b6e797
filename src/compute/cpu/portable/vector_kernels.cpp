#include "compute/cpu/portable/simd.h"
#include "compute/cpu/vector/kernels.h"
#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels kPortableVector = VectorKernelSet<PortableSimd>::table();

}  // namespace drystone

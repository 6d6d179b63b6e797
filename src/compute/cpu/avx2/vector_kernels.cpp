#include "compute/cpu/avx2/simd.h"
#include "compute/cpu/vector/kernels.h"
#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels kAvx2Vector = VectorKernelSet<Avx2Simd>::table();

}  // namespace drystone

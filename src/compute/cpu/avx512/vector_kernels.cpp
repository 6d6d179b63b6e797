#include "compute/cpu/avx512/simd.h"
#include "compute/cpu/vector/kernels.h"
#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels kAvx512Vector = VectorKernelSet<Avx512Simd>::table();

}  // namespace drystone

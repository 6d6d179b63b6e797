#include "compute/cpu/matmul/tables.h"
#include "compute/cpu/neon/products_i8mm.h"

namespace drystone {

const MatmulKernels kI8mmMatmul = I8mmProducts::kernels();

}  // namespace drystone

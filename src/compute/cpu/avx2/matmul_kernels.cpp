#include "compute/cpu/avx2/lanes.h"
#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels kAvx2Matmul = Products<Avx2Lanes>::kernels();

}  // namespace drystone

#include "compute/cpu/avx512/lanes.h"
#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels kAvx512Matmul = Products<Avx512Lanes>::kernels();

}  // namespace drystone

#include "compute/cpu/neon/lanes.h"
#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels kNeonMatmul = Products<NeonLanes>::kernels();

}  // namespace drystone

#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"
#include "compute/cpu/neon/lanes.h"

namespace drystone {

const MatmulKernels kNeonMatmul = Products<NeonLanes>::kernels();

}  // namespace drystone

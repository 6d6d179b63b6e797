#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"
#include "compute/cpu/portable/lanes.h"

namespace drystone {

const MatmulKernels kPortableMatmul = Products<PortableLanes>::kernels();

}  // namespace drystone

#include "compute/cpu/portable/lanes.h"
#include "compute/cpu/matmul/products.h"
#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels kPortableMatmul = Products<PortableLanes>::kernels();

}  // namespace drystone

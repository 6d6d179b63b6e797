#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels& vector_kernels(Isa isa) {
  return isa == Isa::neon ? kNeonVector : kPortableVector;
}

}  // namespace drystone

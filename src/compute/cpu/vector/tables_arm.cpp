#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels& vector_kernels(Isa isa) {
  return isa == Isa::neon || isa == Isa::neon_i8mm ? kNeonVector : kPortableVector;
}

}  // namespace drystone

#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels* matmul_table(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return &kPortableMatmul;
    case Isa::neon:
      return &kNeonMatmul;
    case Isa::neon_i8mm:
      return &kI8mmMatmul;
    default:
      return nullptr;
  }
}

}  // namespace drystone

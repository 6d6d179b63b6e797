#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels& vector_kernels(Isa isa) {
  switch (isa) {
    case Isa::avx2:
      return kAvx2Vector;
    case Isa::avx512:
    case Isa::amx:
    case Isa::amx_emulated:
      return kAvx512Vector;  // AMX has no vectors of its own
    default:
      return kPortableVector;
  }
}

}  // namespace drystone

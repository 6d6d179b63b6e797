#include "compute/cpu/vector/tables.h"

namespace drystone {

const VectorKernels& vector_kernels(Isa isa) {
  switch (isa) {
    case Isa::avx2:
      return kAvx2Vector;
    case Isa::avx512:
    case Isa::avx512_fp16:
    case Isa::amx:
    case Isa::amx_emulated:
      return kAvx512Vector;  // the others differ in products only
    default:
      return kPortableVector;
  }
}

}  // namespace drystone

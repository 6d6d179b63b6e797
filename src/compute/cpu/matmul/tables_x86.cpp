#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels* matmul_table(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return &kPortableMatmul;
    case Isa::avx2:
      return &kAvx2Matmul;
    case Isa::avx512:
      return &kAvx512Matmul;
    case Isa::avx512_fp16:
      return &kAvx512Fp16Matmul;
    case Isa::amx:
      return &kAmxMatmul;
    case Isa::amx_emulated:
      return &kEmulatedAmxMatmul;
    case Isa::neon:
    case Isa::neon_i8mm:
      break;
  }
  return nullptr;
}

}  // namespace drystone

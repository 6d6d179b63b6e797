#include "compute/cpu/amx/products_amx.h"
#include "compute/cpu/matmul/tables.h"

namespace drystone {

const MatmulKernels kAmxMatmul = AmxProducts<AmxTiles>::kernels();
const MatmulKernels kEmulatedAmxMatmul = AmxProducts<EmulatedTiles>::kernels();

}  // namespace drystone

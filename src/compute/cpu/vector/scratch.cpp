#include "compute/cpu/vector/attention.h"
#include "compute/cpu/vector_kernels.h"

namespace drystone {

std::size_t attention_scratch_floats(std::uint32_t head_dim) {
  const std::size_t padded = (head_dim + 15) / 16 * 16;
  return (kAttentionRows + kKeyBlock) * padded + kAttentionRows * (kKeyBlock + 2);
}

}  // namespace drystone

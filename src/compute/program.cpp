#include "compute/program.h"

namespace drystone {

std::uint32_t logit_width(const Program& program) { return program.tensors[program.output].rows; }

std::uint32_t slot_width(const Program& program, Slot slot) {
  switch (slot) {
    case Slot::hidden:
    case Slot::normed:
    case Slot::projected:
      return program.d_model;
    case Slot::q:
    case Slot::attended:
      return program.heads_max * program.head_dim;
    case Slot::k:
    case Slot::v:
      return program.kv_heads * program.head_dim;
    case Slot::gate:
    case Slot::up:
    case Slot::activated:
      return program.ff_width;
  }
  return 0;
}

}  // namespace drystone

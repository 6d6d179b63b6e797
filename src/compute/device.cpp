#include "compute/device.h"

namespace drystone {

std::uint32_t wanted_rows(std::span<const Segment> segments) {
  std::uint32_t rows = 0;
  for (const Segment& segment : segments) switch (segment.output) {
      case RowOutput::none:
        break;
      case RowOutput::last_logits:
      case RowOutput::last_hidden:
        rows += 1;
        break;
      case RowOutput::all_logits:
      case RowOutput::all_hidden:
        rows += segment.rows;
        break;
    }
  return rows;
}

std::uint32_t logit_rows(std::span<const Segment> segments) {
  std::uint32_t rows = 0;
  for (const Segment& segment : segments) {
    if (segment.output == RowOutput::last_logits) rows += 1;
    if (segment.output == RowOutput::all_logits) rows += segment.rows;
  }
  return rows;
}

}  // namespace drystone

#pragma once

#include <array>
#include <cstdint>

#include "compute/cpu/device/reserved_memory.h"
#include "compute/program.h"

namespace drystone {

// Where each slot stands in the working memory of a step. Slots that are never alive together share
// a place.
struct WorkspaceLayout {
  std::uint32_t rows_max = 0;
  std::array<std::uint32_t, kSlotCount> widths{};
  std::array<std::size_t, kSlotCount> offsets{};  // in floats
  std::size_t floats = 0;
  Bytes bytes() const { return floats * sizeof(float); }
};

// `activated` is written over `gate`.
WorkspaceLayout workspace_layout(const Program& program, LayerRange layers, std::uint32_t rows_max);

// The activation buffers of a stage: f32 [rows_max, width] each.
class Workspace {
 public:
  // Errors: out_of_memory.
  static Result<Workspace> reserve(const WorkspaceLayout& layout);

  float* slot(Slot slot) const {
    return reinterpret_cast<float*>(memory_.data()) + layout_.offsets[int(slot)];
  }
  std::uint32_t width(Slot slot) const { return layout_.widths[int(slot)]; }
  float* row(Slot s, std::uint32_t row) const { return slot(s) + std::size_t{row} * width(s); }
  const WorkspaceLayout& layout() const { return layout_; }

 private:
  WorkspaceLayout layout_;
  ReservedMemory memory_;
};

}  // namespace drystone

#include "compute/cpu/device/workspace.h"

#include <algorithm>

namespace drystone {
namespace {

constexpr std::size_t kAlignFloats = 16;  // a cache line

// First to last operation of a layer that touches a slot.
struct Lifetime {
  int first = -1, last = -1;
  bool used() const { return first >= 0; }
  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

using Lifetimes = std::array<Lifetime, kSlotCount>;

struct TouchSlots {
  Lifetimes& lifetimes;
  int at;

  void touch(Slot slot) {
    if (slot == Slot::activated) slot = Slot::gate;
    Lifetime& lifetime = lifetimes[int(slot)];
    if (!lifetime.used()) lifetime.first = at;
    lifetime.last = std::max(lifetime.last, at);
  }
  void operator()(const NormOp& op) { touch(op.in), touch(op.out); }
  void operator()(const LinearOp& op) {
    touch(op.in);
    for (const LinearPart& part : op.parts) touch(part.out);
  }
  void operator()(const RopeOp& op) { touch(op.slot); }
  void operator()(const AttentionOp&) {
    touch(Slot::q), touch(Slot::k), touch(Slot::v), touch(Slot::attended);
  }
  void operator()(const GatedOp&) { touch(Slot::gate), touch(Slot::up); }
  void operator()(const ResidualOp& op) { touch(op.in), touch(Slot::hidden); }
};

// Layers may differ: a slot lives for the union of what it lives for in each.
Lifetimes lifetimes_of(const Program& program, LayerRange layers) {
  Lifetimes all;
  for (std::uint32_t i = layers.begin; i < layers.end; ++i) {
    Lifetimes own;
    for (int at = 0; at < static_cast<int>(program.layers[i].ops.size()); ++at)
      std::visit(TouchSlots{own, at}, program.layers[i].ops[at]);
    for (int s = 0; s < kSlotCount; ++s) {
      if (!own[s].used()) continue;
      all[s].first = all[s].used() ? std::min(all[s].first, own[s].first) : own[s].first;
      all[s].last = std::max(all[s].last, own[s].last);
    }
  }
  all[int(Slot::hidden)] = {0, 1 << 30};
  Lifetime& normed = all[int(
      Slot::normed)];  // the output head uses it as well, with nothing but `hidden` beside it
  if (!normed.used()) normed = {0, 0};
  return all;
}

}  // namespace

WorkspaceLayout workspace_layout(const Program& program, LayerRange layers,
                                 std::uint32_t rows_max) {
  WorkspaceLayout layout{.rows_max = rows_max};
  const Lifetimes lifetimes = lifetimes_of(program, layers);
  const auto floats_of = [&](int s) {
    return (std::size_t{layout.widths[s]} * rows_max + kAlignFloats - 1) / kAlignFloats *
           kAlignFloats;
  };
  for (int s = 0; s < kSlotCount; ++s) layout.widths[s] = slot_width(program, static_cast<Slot>(s));

  std::array<int, kSlotCount> by_size;
  for (int s = 0; s < kSlotCount; ++s) by_size[s] = s;
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](int a, int b) { return floats_of(a) > floats_of(b); });

  // First fit, largest first: the lowest offset that is free of every placed slot alive at the same
  // time.
  std::array<bool, kSlotCount> placed{};
  for (const int s : by_size) {
    if (!lifetimes[s].used()) continue;
    std::size_t offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (int other = 0; other < kSlotCount; ++other) {
        if (!placed[other] || !lifetimes[s].overlaps(lifetimes[other])) continue;
        const std::size_t end = layout.offsets[other] + floats_of(other);
        if (offset < end && layout.offsets[other] < offset + floats_of(s))
          offset = end, moved = true;
      }
    }
    layout.offsets[s] = offset;
    placed[s] = true;
    layout.floats = std::max(layout.floats, offset + floats_of(s));
  }
  layout.offsets[int(Slot::activated)] = layout.offsets[int(Slot::gate)];
  return layout;
}

Result<Workspace> Workspace::reserve(const WorkspaceLayout& layout) {
  Workspace workspace;
  workspace.layout_ = layout;
  workspace.memory_ = TRY(ReservedMemory::reserve(layout.bytes(), "working memory"));
  return workspace;
}

}  // namespace drystone

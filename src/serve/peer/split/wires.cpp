#include "serve/peer/split/wires.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

Wires::Wires(const Placement& placement) {
  for (std::uint32_t i = 0; i < placement.parts.size(); ++i)
    if (placement.parts[i].rank == 0) first_.push_back(i);
  first_.push_back(static_cast<std::uint32_t>(placement.parts.size()));
  CHECK(stages() > 0 && first_[0] == 0, placement.parts.size());
}

std::vector<Wire> Wires::all() const {
  std::vector<Wire> wires;
  for (std::uint32_t rank = 1; rank < ranks(0); ++rank)
    wires.push_back({StreamRole::steps, part(0, 0), part(0, rank)});
  for (std::uint32_t stage = 0; stage < stages(); ++stage) {
    const bool last = stage + 1 == stages();
    const std::uint32_t next = last ? 0 : stage + 1;
    if (stages() > 1)
      for (std::uint32_t rank = 0; rank < ranks(next); ++rank)
        wires.push_back({last ? StreamRole::rows : StreamRole::steps,
                         part(stage, rank % ranks(stage)), part(next, rank)});
    for (std::uint32_t rank = 1; rank < ranks(stage); ++rank)
      for (std::uint32_t lower = 0; lower < rank; ++lower)
        wires.push_back({StreamRole::reduce, part(stage, rank), part(stage, lower)});
  }
  return wires;
}

std::vector<Wire> Wires::of(std::uint32_t part) const {
  std::vector<Wire> wires = all();
  std::erase_if(wires, [&](const Wire& wire) { return wire.from != part && wire.to != part; });
  return wires;
}

}  // namespace drystone

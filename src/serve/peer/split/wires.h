#pragma once

#include <vector>

#include "cluster/plan/placement.h"
#include "serve/peer/split/stream_name.h"

namespace drystone {

// A stream that a part of a placement has with another one.
struct Wire {
  StreamRole role;
  std::uint32_t from, to;  // indices of Placement::parts; `from` dials
  bool operator==(const Wire&) const = default;
};

// The parts of a placement as the streams between them see it. A value; borrows the placement.
//
// Steps go to the ranks of the first stage from its rank 0, the head; and to rank j of any other
// stage from rank j mod n of the n ranks of the stage before. So they reach each part once, and
// the parts form a tree, in which readiness travels back to the head. What the last stage gives of
// a step goes to the ranks of the first stage in the same manner, if there is more than one stage.
// Each two ranks of a stage have a stream for sums.
class Wires {
 public:
  explicit Wires(const Placement& placement);  // one that validate() accepts

  std::uint32_t stages() const { return static_cast<std::uint32_t>(first_.size()) - 1; }
  std::uint32_t ranks(std::uint32_t stage) const { return first_[stage + 1] - first_[stage]; }
  std::uint32_t part(std::uint32_t stage, std::uint32_t rank) const { return first_[stage] + rank; }

  // All streams of a part: those it dials and those it takes.
  std::vector<Wire> of(std::uint32_t part) const;

 private:
  std::vector<Wire> all() const;
  std::vector<std::uint32_t> first_;  // part of each stage; then their number
};

}  // namespace drystone

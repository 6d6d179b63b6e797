#pragma once

#include <cstddef>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

// What one mask, or one token that is taken, has cost so far: all its items together, so that no
// grammar holds the others' step up. In steps of some nanoseconds: a node of the trie that is
// looked at by table is one, an item that is followed with its stack is kFollowed.
class Work {
 public:
  static constexpr std::size_t kFollowed = 2;

  void look(std::size_t nodes) { steps_ += nodes; }
  void follow(std::size_t items) { steps_ += items * kFollowed; }
  bool over() const { return steps_ > kMaskWorkMax; }
  std::size_t steps() const { return steps_; }

 private:
  std::size_t steps_ = 0;
};

}  // namespace drystone::constraint

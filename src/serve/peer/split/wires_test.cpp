#include "serve/peer/split/wires.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace drystone {
namespace {

Placement stages_of(std::initializer_list<std::uint32_t> ranks) {
  Placement placement;
  std::uint32_t stage = 0;
  for (const std::uint32_t count : ranks) {
    for (std::uint32_t rank = 0; rank < count; ++rank)
      placement.parts.push_back({.stage = stage, .rank = rank, .ranks = count});
    ++stage;
  }
  return placement;
}

// Steps must come to each part once, and readiness back to the head.
TEST(Wires, StepsFormATreeFromTheHead) {
  for (const auto& ranks : std::initializer_list<std::initializer_list<std::uint32_t>>{
           {1, 1}, {4}, {2, 2}, {1, 3, 2}, {3, 1, 4, 2}}) {
    const Placement placement = stages_of(ranks);
    const Wires wires(placement);
    for (std::uint32_t part = 0; part < placement.parts.size(); ++part) {
      int steps = 0, rows = 0;
      for (const Wire& wire : wires.of(part)) {
        if (wire.to == part && wire.role == StreamRole::steps) {
          ++steps;
          EXPECT_LT(wire.from, part);
        }
        rows += wire.to == part && wire.role == StreamRole::rows;
      }
      EXPECT_EQ(steps, part == 0 ? 0 : 1);
      EXPECT_EQ(rows, placement.parts[part].stage == 0 && wires.stages() > 1 ? 1 : 0);
    }
  }
}

TEST(Wires, EachTwoRanksOfAStageHaveOneForSums) {
  const Placement placement = stages_of({3, 2});
  std::set<std::pair<std::uint32_t, std::uint32_t>> sums;
  for (const Wire& wire : Wires(placement).of(0))
    if (wire.role == StreamRole::reduce) sums.insert({wire.from, wire.to});
  EXPECT_EQ(sums, (std::set<std::pair<std::uint32_t, std::uint32_t>>{{1, 0}, {2, 0}}));
}

TEST(Wires, BothEndsKnowTheSameStreams) {
  const Placement placement = stages_of({2, 3, 1});
  const Wires wires(placement);
  for (std::uint32_t a = 0; a < placement.parts.size(); ++a)
    for (const Wire& wire : wires.of(a)) {
      const auto others = wires.of(wire.from == a ? wire.to : wire.from);
      EXPECT_EQ(std::ranges::count(others, wire), 1);
    }
}

}  // namespace
}  // namespace drystone

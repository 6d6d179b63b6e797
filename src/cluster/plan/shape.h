#pragma once

#include <cstdint>
#include <vector>

#include "cluster/plan/plan_input.h"

namespace drystone {

// Which sites make which stage, in the order of the pipeline: indices into PlanInput::sites(). The
// first of the first stage is the head.
struct Shape {
  std::vector<std::vector<std::uint32_t>> stages;
  auto operator<=>(const Shape&) const = default;

  std::uint32_t head() const { return stages[0][0]; }
  std::size_t nodes() const;
  PlanKind kind() const;
  // What it has in common with shapes that differ only in order or head: the widths of its stages
  // and the sites, both sorted.
  std::vector<std::uint32_t> signature() const;
};

// Whether the request allows it: forced stages, shards and head, and what the model can be cut
// into.
bool allowed(const PlanInput& input, const Shape& shape);

// The shapes to compare, without repetition: every order of every grouping of every subset of up to
// kExactNodesMax sites; of more sites those that suggest_shapes() (shape_search.h) finds.
std::vector<Shape> shapes_of(const PlanInput& input);

}  // namespace drystone

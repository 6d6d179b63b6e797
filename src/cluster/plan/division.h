#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/plan/divide_widths.h"
#include "cluster/plan/plan_input.h"
#include "cluster/plan/shape.h"

namespace drystone {

// A shape with its layers and widths divided.
struct Division {
  Shape shape;
  std::vector<Span> layers;    // of each stage
  std::vector<Widths> widths;  // of each stage, in units; everything for a stage of one rank
  RowFormat row_format = RowFormat::f32;  // between stages
};

// The units that widths are counted in.
WidthUnits width_units(const PlanInput& input, bool first_stage);
// What of a layer (and, in the first stage, of the output matrix) a rank has.
Share share_of(const PlanInput& input, const Division& division, std::size_t stage,
               std::size_t rank);
std::vector<Share> shares_of(const PlanInput& input, const Division& division, std::size_t stage);

// Divides layers and widths for what the request is to be good at: as short a longest stage as
// memory allows, times that are alike counting as equal; for a single stream also as short a sum,
// where that gains more than a little. `room`: bytes of each site that may be taken. nullopt: they
// do not allow it.
std::optional<Division> divide(const PlanInput& input, const Shape& shape,
                               std::span<const Bytes> room);

// The parts with their bytes, which fit each node.
std::vector<PlacedPart> parts_of(const PlanInput& input, const Division& division);

}  // namespace drystone

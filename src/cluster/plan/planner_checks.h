#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "cluster/plan/planner.h"

// What tests of the planner share: every plan that they make is checked for what all promise.

namespace drystone {

inline const Offer* find(const Plan& plan, PlanKind kind) {
  const auto found = std::ranges::find(plan.offers, kind, &Offer::kind);
  return found == plan.offers.end() ? nullptr : &*found;
}

// Promises of every plan: what it offers can be loaded.
inline void expect_sound(const Plan& plan, const ModelFigures& model,
                         const std::vector<NodeFigures>& nodes) {
  for (const Offer& offer : plan.offers) {
    for (const Placement& placement : offer.placements) {
      const auto valid = validate(placement);
      EXPECT_TRUE(valid) << offer.summary << ": " << valid.error().message();
      EXPECT_EQ(placement.shape, shape_of(model));
      const auto again = placement_from_json(to_json(placement));
      ASSERT_TRUE(again) << again.error().message();
      EXPECT_EQ(*again, placement);
      Bytes weights = 0;
      std::map<std::string, Bytes> of_machine;
      for (const PlacedPart& part : placement.parts) {
        const auto node = std::ranges::find(nodes, part.node, &NodeFigures::id);
        ASSERT_NE(node, nodes.end());
        EXPECT_LE(part.bytes.total(), *node->available_bytes()) << offer.summary;
        weights += part.bytes.weights;
        if (node->memory_id.empty() || node->given_back != 0) continue;
        Bytes& together = of_machine[node->memory_id];
        EXPECT_LE(together += part.bytes.total(), *node->available_bytes()) << offer.summary;
      }
      // Nothing is lost: all weights are there, and some (norms, a tied output) more than once.
      EXPECT_GE(weights + kMiB, model.weights_bytes()) << offer.summary;
    }
  }
  EXPECT_LE(plan.offers.size(), kOffersMax);
  EXPECT_LE(plan.refusals.size(), kRefusalsMax + nodes.size());
}

inline Plan checked_plan(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                         const LinkTable& links, const PlanRequest& request) {
  Plan result = plan(model, nodes, links, request);
  EXPECT_EQ(result.error.has_value(), result.offers.empty());
  expect_sound(result, model, nodes);
  return result;
}

}  // namespace drystone

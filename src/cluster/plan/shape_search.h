#pragma once

#include <vector>

#include "cluster/plan/shape.h"

namespace drystone {

// Shapes worth comparing in a cluster of many nodes, in time polynomial in nodes and layers:
//   stages   for each number of stages and some heads, the nodes that together have the shortest
//            longest stage (exact where all layers are alike), each behind its nearest neighbour
//   shards   for some heads, groups that grow by the node that shortens the wait most
//   both     groups of two, four, eight, chained
//   replicas shapes of few nodes that have none in common
// May contain shapes that the request does not allow, and repetitions.
std::vector<Shape> suggest_shapes(const PlanInput& input);

}  // namespace drystone

#pragma once

#include <vector>

#include "cluster/plan/evaluation.h"

namespace drystone {

// Evaluations that share no node: as many as the request forces, else as many as there can be.
// Those of the fewest nodes first, so that what fits on one node is not spread over the nodes of
// the next; of those the fastest. Less than two: there are no replicas.
std::vector<const Evaluation*> choose_replicas(const PlanInput& input,
                                               const std::vector<Evaluation>& evaluations);

// How fast they are together: the requests are shared out by what each does.
struct ReplicaPace {
  double one_stream_tok_s = 0, prefill_tok_s = 0;  // of the fastest
  double many_streams_tok_s = 0;
};
ReplicaPace replica_pace(const PlanInput& input, const std::vector<const Evaluation*>& replicas);

}  // namespace drystone

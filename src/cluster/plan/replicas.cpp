#include "cluster/plan/replicas.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "cluster/plan/pace.h"

namespace drystone {

std::vector<const Evaluation*> choose_replicas(const PlanInput& input,
                                               const std::vector<Evaluation>& evaluations) {
  std::vector<const Evaluation*> by_worth;
  for (const Evaluation& each : evaluations) by_worth.push_back(&each);
  std::ranges::stable_sort(by_worth, std::greater(), [](const Evaluation* each) {
    return each->many_streams_tok_s / static_cast<double>(each->division.shape.nodes());
  });
  std::vector<const Evaluation*> chosen;
  std::set<std::uint32_t> taken;
  const std::size_t most = input.request().replicas.value_or(kPlanNodesMax);
  for (const Evaluation* each : by_worth) {
    if (chosen.size() == most) break;
    const auto& stages = each->division.shape.stages;
    const bool free = std::ranges::all_of(stages, [&](const auto& stage) {
      return std::ranges::none_of(stage, [&](std::uint32_t site) { return taken.contains(site); });
    });
    if (!free) continue;
    for (const auto& stage : stages) taken.insert(stage.begin(), stage.end());
    chosen.push_back(each);
  }
  return chosen;
}

ReplicaPace replica_pace(const PlanInput& input, const std::vector<const Evaluation*>& replicas) {
  ReplicaPace pace;
  for (const Evaluation* each : replicas) {
    pace.one_stream_tok_s = std::max(pace.one_stream_tok_s, each->one_stream_tok_s);
    pace.prefill_tok_s = std::max(pace.prefill_tok_s, each->prefill_tok_s);
  }
  // Request by request to the replica whose share stays fastest.
  std::vector<std::uint32_t> streams(replicas.size(), 0);
  for (std::uint32_t given = 0; given < input.request().streams; ++given) {
    std::size_t best = 0;
    double best_rate = -1;
    for (std::size_t i = 0; i < replicas.size(); ++i)
      if (const double rate = replicas[i]->one_stream_tok_s / (streams[i] + 1); rate > best_rate)
        best_rate = rate, best = i;
    ++streams[best];
  }
  for (std::size_t i = 0; i < replicas.size(); ++i)
    if (streams[i] > 0)
      pace.many_streams_tok_s += many_streams(input, replicas[i]->division, streams[i]).tok_s;
  return pace;
}

}  // namespace drystone

#include "cluster/plan/replicas.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "cluster/plan/pace.h"

namespace drystone {
namespace {

// Takes the candidates in their order. Where a number is asked for that this does not reach, it
// goes back and tries others, within kTriesMax.
class ReplicaChoice {
 public:
  ReplicaChoice(const PlanInput& input, std::vector<const Evaluation*> candidates,
                std::optional<std::uint32_t> wanted)
      : input_(input), candidates_(std::move(candidates)), wanted_(wanted.value_or(kPlanNodesMax)) {
    if (!wanted) tries_ = 0;
  }

  std::vector<const Evaluation*> run() {
    if (search(0)) return chosen_;
    return first_;
  }

 private:
  static constexpr int kTriesMax = 20'000;

  // The first way down is the greedy choice.
  bool search(std::size_t from) {
    if (chosen_.size() == wanted_) return true;
    for (std::size_t i = from; i < candidates_.size(); ++i) {
      if (went_back_ && --tries_ < 0) return false;
      if (!free(*candidates_[i])) continue;
      take(*candidates_[i]);
      if (search(i + 1)) return true;
      give_back();
      if (tries_ <= 0) return false;
    }
    if (!std::exchange(went_back_, true)) first_ = chosen_;
    return false;
  }

  bool free(const Evaluation& each) const {
    for (const auto& stage : each.division.shape.stages)
      for (const std::uint32_t site : stage)
        if (taken_.contains(site)) return false;
    return std::ranges::all_of(input_.shared_memories(), [&](const SharedMemory& memory) {
      Bytes taken = taken_from(memory, each);
      for (const Evaluation* other : chosen_) taken += taken_from(memory, *other);
      return taken <= memory.available;
    });
  }

  void take(const Evaluation& each) {
    for (const auto& stage : each.division.shape.stages) taken_.insert(stage.begin(), stage.end());
    chosen_.push_back(&each);
  }

  void give_back() {
    for (const auto& stage : chosen_.back()->division.shape.stages)
      for (const std::uint32_t site : stage) taken_.erase(site);
    chosen_.pop_back();
  }

  const PlanInput& input_;
  const std::vector<const Evaluation*> candidates_;
  const std::size_t wanted_;
  std::vector<const Evaluation*> chosen_, first_;
  std::set<std::uint32_t> taken_;
  bool went_back_ = false;
  int tries_ = kTriesMax;
};

}  // namespace

std::vector<const Evaluation*> choose_replicas(const PlanInput& input,
                                               const std::vector<Evaluation>& evaluations) {
  std::vector<const Evaluation*> by_worth;
  for (const Evaluation& each : evaluations) by_worth.push_back(&each);
  std::ranges::stable_sort(by_worth, {}, [](const Evaluation* each) {
    return std::tuple(each->division.shape.nodes(), !each->known, -each->many_streams_tok_s);
  });
  return ReplicaChoice(input, std::move(by_worth), input.request().replicas).run();
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

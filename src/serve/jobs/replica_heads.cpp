#include "serve/jobs/replica_heads.h"

#include <algorithm>
#include <utility>

namespace drystone {

std::uint64_t ReplicaHeads::add() {
  replicas_[++last_replica_].number = ++last_number_;
  return last_replica_;
}

bool ReplicaHeads::remove(std::uint64_t replica, std::vector<Queue>& left) {
  const auto at = replicas_.find(replica);
  if (at == replicas_.end()) return false;
  if (at->second.queue != nullptr) left.push_back(std::move(at->second.queue));
  replicas_.erase(at);
  return true;
}

bool ReplicaHeads::set(std::uint64_t replica, std::uint64_t epoch, Queue queue, std::string why,
                       std::vector<Queue>& left) {
  const auto at = replicas_.find(replica);
  const bool is_late = at == replicas_.end() || epoch < at->second.epoch;
  if (is_late || (epoch == at->second.epoch && queue == at->second.queue)) {
    // None as before; by now somebody may know why.
    if (!is_late && queue == nullptr && !why.empty()) at->second.why_none = std::move(why);
    if (queue != nullptr) left.push_back(std::move(queue));
    return false;
  }
  if (at->second.queue != nullptr) left.push_back(std::move(at->second.queue));
  at->second = {.epoch = epoch,
                .number = ++last_number_,
                .queue = std::move(queue),
                .why_none = std::move(why),
                .refused = std::nullopt};
  return true;
}

bool ReplicaHeads::refuse(std::uint64_t replica, std::uint64_t epoch, const Error& why) {
  const auto at = replicas_.find(replica);
  if (at == replicas_.end() || epoch < at->second.epoch || at->second.queue != nullptr)
    return false;
  at->second.refused = why;
  return true;
}

std::vector<ReplicaHeads::Queue> ReplicaHeads::queues() const {
  std::vector<Queue> all;
  for (const auto& [number, replica] : replicas_)
    if (replica.queue != nullptr) all.push_back(replica.queue);
  return all;
}

bool ReplicaHeads::is_present(std::uint64_t replica, std::uint64_t number) const {
  const auto at = replicas_.find(replica);
  return at != replicas_.end() && at->second.number == number;
}

std::optional<ReplicaHeads::Head> ReplicaHeads::choose(
    std::span<const std::uint64_t> tried, bool again,
    const std::function<std::size_t(std::uint64_t)>& jobs_of) const {
  std::optional<Head> best;
  std::pair<std::ptrdiff_t, std::size_t> least;
  for (const auto& [name, replica] : replicas_) {
    const auto at = std::ranges::find(tried, replica.number);
    const std::ptrdiff_t turn = at == tried.end() ? 0 : at - tried.begin() + 1;  // 0: not yet
    if (replica.queue == nullptr || (turn > 0 && !again) || replica.queue->lost()) continue;
    const std::pair rank(turn, replicas_.size() == 1 ? 0 : jobs_of(name));
    if (best && least <= rank) continue;
    best = Head{.replica = name, .number = replica.number, .queue = replica.queue};
    least = rank;
  }
  return best;
}

std::optional<Error> ReplicaHeads::refused() const {
  const bool all = std::ranges::all_of(
      replicas_, [](const auto& one) { return one.second.refused.has_value(); });
  return all && !empty() ? replicas_.begin()->second.refused : std::nullopt;
}

std::string ReplicaHeads::why_none() const {
  for (const auto& [name, replica] : replicas_)
    if (!replica.why_none.empty()) return replica.why_none;
  return "";
}

}  // namespace drystone

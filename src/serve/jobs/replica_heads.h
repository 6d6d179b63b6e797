#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/generation_job.h"

namespace drystone {

// The heads of a model's replicas, as a ReplayQueue knows them. Not thread-safe. Queues that it
// lets go of are appended to `left`, so that they end where the caller wants.
class ReplicaHeads {
 public:
  using Queue = std::shared_ptr<JobQueue>;
  struct Head {
    std::uint64_t replica, number;  // numbers count the heads of all replicas
    Queue queue;
  };

  std::uint64_t add();  // one without a head
  // What follows says whether anything has changed.
  bool remove(std::uint64_t replica, std::vector<Queue>& left);
  // As ReplayQueue::set_head() and refuse().
  bool set(std::uint64_t replica, std::uint64_t epoch, Queue queue, std::string why,
           std::vector<Queue>& left);
  bool refuse(std::uint64_t replica, std::uint64_t epoch, const Error& why);

  bool empty() const { return replicas_.empty(); }
  std::vector<Queue> queues() const;
  // Whether that is the replica's head still.
  bool is_present(std::uint64_t replica, std::uint64_t number) const;
  // Of those with a head the one with the fewest jobs (`jobs_of` a replica). Those with the numbers
  // `tried`, the latest one at the end, only `again`, and if there is no other: the one whose turn
  // is longest ago. nullopt: none.
  std::optional<Head> choose(std::span<const std::uint64_t> tried, bool again,
                             const std::function<std::size_t(std::uint64_t)>& jobs_of) const;
  std::optional<Error> refused() const;  // where no replica will have a head
  std::string why_none() const;          // why one has none now; "": nobody said

 private:
  struct Replica {
    std::uint64_t epoch = 0, number = 0;  // of its head, or of its time without one
    Queue queue;
    std::string why_none;
    std::optional<Error> refused;
  };

  std::map<std::uint64_t, Replica> replicas_;
  std::uint64_t last_replica_ = 0, last_number_ = 0;
};

}  // namespace drystone

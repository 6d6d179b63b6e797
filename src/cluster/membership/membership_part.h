#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/membership/node_record.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr std::size_t kRumoursPerMessageMax = 256;
constexpr std::size_t kProbesPerMessageMax = 64;  // of pings, acks, asks, vouches each

// The part of a message that membership speaks. `pings` are answered by `acks` with equal numbers,
// `asks` by `vouches` with equal targets and numbers, if the target answers.
struct MembershipPart {
  struct Ask {  // please probe `target` and vouch for it
    NodeId target;
    std::uint64_t number = 0;

    bool operator==(const Ask&) const = default;
  };
  std::uint64_t start = 0, incarnation = 0;  // of the sender
  bool leaving = false;
  std::uint64_t view = 0;  // digest of what the sender believes
  std::vector<std::uint64_t> pings, acks;
  std::vector<Ask> asks, vouches;
  std::vector<NodeRecord> rumours;

  bool operator==(const MembershipPart&) const = default;
};

}  // namespace drystone::cluster

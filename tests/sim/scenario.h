#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace drystone::sim {

struct Outcome {
  std::vector<std::string> failures;  // empty: everything held
  std::vector<std::string> log;       // what happened, one sentence each
  std::uint64_t packets = 0;
};

// One life of a cluster, from its founding, all of it decided by `seed`: machines join, write,
// crash, freeze, restart, leave and are removed, while the network does its worst; then it heals,
// and all invariants (invariants.h) must hold.
// `verbose`: the log tells every message that was refused, too.
Outcome run_scenario(std::uint64_t seed, bool verbose = false);

}  // namespace drystone::sim

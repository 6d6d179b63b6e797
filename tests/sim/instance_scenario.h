#pragma once

#include <cstdint>

#include "scenario.h"

namespace drystone::sim {

// One life of a cluster that runs models, all of it decided by `seed`: people load and unload, many
// clients ask, parts load, break and find no memory, machines crash (some for good), start again
// and freeze, while the network does its worst; then it is left alone, and all invariants
// (instance_invariants.h) must hold; then one machine more is lost in the midst of answers.
Outcome run_instances(std::uint64_t seed);

}  // namespace drystone::sim

#pragma once

#include <string>

#include "network.h"

namespace drystone::sim {

// Begins one fault of the network, drawn by its seed, which ends by itself after a while. Returns
// what it is, in words.
std::string random_fault(Network& network);

// The machines answer more slowly, up to 0.9 s, and packets are lost, up to one in twenty: nothing
// that justifies throwing anybody out.
std::string random_slowness(Network& network);

// Some directions between machines other than `hub` are cut.
std::string random_one_way_cuts(Network& network, std::size_t hub);

}  // namespace drystone::sim

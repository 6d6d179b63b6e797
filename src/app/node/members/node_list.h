#pragma once

#include <vector>

#include "app/node/members/cluster_host.h"
#include "app/node/peers/address_book.h"

namespace drystone {

// All members as a person sees them, this node first, then by name.
std::vector<ClusterHost::Node> list_nodes(const cluster::ClusterCore& core, const AddressBook& book,
                                          Clock::Nanoseconds now);

}  // namespace drystone

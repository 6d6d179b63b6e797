#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/node/members/cluster_host.h"
#include "app/node/peers/address_book.h"

namespace drystone {

// All members as a person sees them, this node first, then by name.
std::vector<ClusterHost::Node> list_nodes(const cluster::ClusterCore& core, const AddressBook& book,
                                          Clock::Nanoseconds now);

// The id of one of these nodes (names by id) by its id, its name, or the beginning of its id (4
// letters or more). Errors: not_found, invalid_argument (several are called so)
Result<std::string> find_node(const std::map<std::string, std::string>& names,
                              const std::string& name);

}  // namespace drystone

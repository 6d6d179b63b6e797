#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cluster/core/cluster_core.h"

namespace drystone {

// What people call nodes: the name of the shared state (name/<id>: a JSON text), where a node was
// renamed, else the one with which it was let in. Names are not unique.
constexpr std::string_view kNamePrefix = "name/";

// Of all members, by id.
std::map<std::string, std::string> node_names(const cluster::ClusterCore& core);
// Of one; its id where it is no member.
std::string node_name(const cluster::ClusterCore& core, const std::string& id);

// The text with members' names in place of their ids: for what rooms say that know ids alone.
std::string with_names(const cluster::ClusterCore& core, std::string text);

// Calls this node so from now on, for all members. Errors: invalid_argument (no name), limit (the
// shared state is full).
Result<void> rename_self(cluster::ClusterCore& core, const std::string& name, Clock::WallTime wall);

}  // namespace drystone

#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/core/cluster_core.h"

namespace drystone {

// What a node says of itself in the shared state, at node/<id>/about.
struct NodeDescriptor {
  static constexpr std::string_view kName = "about";

  std::string version;                 // of the program
  std::string api;                     // "http://127.0.0.1:8080"; empty: none
  std::vector<std::string> addresses;  // "10.0.0.7:8399": where it takes connections, best first

  bool operator==(const NodeDescriptor&) const = default;
};

std::string to_json(const NodeDescriptor& descriptor);
// Fields that are not known are left to later versions. Errors: corrupt
Result<NodeDescriptor> parse_node_descriptor(std::string_view json);

// Of a node in the shared state; none: it has said nothing, or nothing that can be read.
std::optional<NodeDescriptor> descriptor_of(const cluster::ClusterCore& core,
                                            const std::string& node);

// Those of its addresses that are such.
std::vector<boost::asio::ip::tcp::endpoint> endpoints_of(const NodeDescriptor& descriptor);

}  // namespace drystone

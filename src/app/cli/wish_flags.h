#pragma once

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drystone {

// What `plan` and `load` say of how a model should be placed.
struct WishFlags {
  std::string model;
  std::uint32_t context = 0, streams = 0, replicas = 0, stages = 0, shards = 0;  // 0: not said
  std::string nodes;                                                             // "atlas,nova"
  std::string head, kv, rows, objective;
};

// Adds MODEL, --stages, --shards and the like. Borrows both.
void add_wish_flags(CLI::App& command, WishFlags& flags);

// The body of the request (docs/formats/cluster-api.md). A file that stands here is named by its
// whole path: the node works in another folder.
boost::json::object wish_of(const WishFlags& flags);

// A wish as it stands in the shared state, for people: "2 stages, context 2048".
std::string wish_text(const boost::json::value& wish);

}  // namespace drystone

#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// Multiply-adds per second that a node has been measured at, whole machine.
struct Rates {
  std::optional<double> prompt;  // prompt rows (many at once, the matrix path)
  // Generated rows, weights from memory: how far products hide behind reading differs by processor,
  // kernel and type.
  std::optional<double> generated;  // kManyGenerated rows at once
  std::optional<double> few;        // kFewGenerated rows at once
  std::optional<double> streamed;   // one row: kernels read somewhat slower than a plain sum does
  bool operator==(const Rates&) const = default;
};

// Answers decode together in rows of a step: up to so many are few and wait for memory as well.
constexpr std::uint32_t kFewGenerated = 4, kManyGenerated = 8;

// The name in NodeFigures::rates under which attention itself (queries against keys, weights
// against values) is measured, beside the types of weights.
constexpr const char* kAttentionRate = "attention";
constexpr std::size_t kRatesMax = 64;
constexpr double kRateMin = 1, kRateMax = 1e18;  // of rates and bandwidths that are read

// What a node publishes for planning. What it has not measured is nullopt: unknown is never 0.
struct NodeFigures {
  std::string id;    // node id; the order of ids decides who keeps an instance
  std::string name;  // for people

  std::optional<Bytes> total_bytes;  // physical memory
  // What could still be reserved as far as the system is concerned: what is available, less what is
  // reserved by us and not touched yet.
  std::optional<Bytes> free_bytes;
  Bytes reserved_bytes = 0;          // by us, in the node's ledger
  std::optional<Bytes> limit_bytes;  // the owner's bound for all our reservations (--memory)
  Bytes reserve_bytes = 0;           // of free_bytes, left to the system and never planned with
  // Nodes of the same and of the same total_bytes take from one memory: several on one machine.
  // Empty: not told, or what the node may have is bounded apart from them.
  std::string memory_id;

  std::optional<double> read_bandwidth;  // bytes/s, all threads together
  std::map<std::string, Rates> rates;    // by type of weights, and kAttentionRate
  std::optional<double> step_fixed_s;    // per step and part, whatever it holds
  std::optional<double> layer_fixed_s;   // per layer of a step: barriers between its operations
  std::uint32_t cores = 0;               // 0: not told
  // Its first measuring of itself: true while it is not over; nullopt: not told.
  std::optional<bool> measuring;
  bool operator==(const NodeFigures&) const = default;

  // Whether that is its id or its name, which others may have too: find_node.
  bool is_called(const std::string& text) const { return text == id || text == name; }
  // Its name for people; its id where it has told none.
  const std::string& shown_name() const { return name.empty() ? id : name; }
  // What a new placement may take: the smaller of free - reserve and limit - reserved. nullopt when
  // neither is known.
  std::optional<Bytes> available_bytes() const;
  // The same node, if `bytes` were reserved in its ledger instead of reserved_bytes.
  NodeFigures with_reserved(Bytes bytes) const;
  // What with_reserved() added to what is free, or took from it. Not published.
  std::int64_t given_back = 0;
};

// docs/formats/placement.md. Unknown figures are absent. Fields of later versions are skipped.
boost::json::object to_json(const NodeFigures& figures);
// Errors: corrupt  a field of the wrong kind, a rate or bandwidth that is not above 0.
Result<NodeFigures> node_figures_from_json(const boost::json::value& value);

}  // namespace drystone

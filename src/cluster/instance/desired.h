#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/plan/planner.h"

namespace drystone {

constexpr std::uint32_t kReplicasMax = 64;

// What somebody asked for: `drystone load`. Stands in the map at want/MODEL until `unload`.
struct DesiredInstance {
  std::string model;
  std::uint32_t context = 0;  // 0: what the model is made for
  std::uint32_t streams = 1;
  std::uint32_t replicas = 1;
  std::uint32_t kv_tokens = 0;
  KvFormat kv_format = KvFormat::f16;
  std::optional<std::uint32_t> stages, shards;
  std::optional<RowFormat> row_format;
  std::vector<std::string> nodes;
  std::string head;
  Objective objective = Objective::automatic;
  // Another number each time that somebody asks, also for the same again; 0: not told.
  std::uint64_t asked = 0;
  bool operator==(const DesiredInstance&) const = default;

  // Of one of its replicas.
  PlanRequest request(const std::string& instance) const;
  // Whether the shape was asked for, so that another one is only a substitute.
  bool forced() const { return stages || shards || row_format || !nodes.empty() || !head.empty(); }
  // Whether both leave the same to the planner.
  bool same_choice(const DesiredInstance& other) const;
  // The same without what was forced.
  DesiredInstance unforced() const;
};

// "llama-8b" for replica 0, then "llama-8b#1".
std::string instance_name(const std::string& model, std::uint32_t replica);
// The other way round; no model's name has a '#'.
std::string model_of_instance(const std::string& instance);

boost::json::object to_json(const DesiredInstance& desired);
// Errors: corrupt.
Result<DesiredInstance> desired_from_json(const boost::json::value& value);
// The same, with what an error is to call the value.
Result<DesiredInstance> read_desired(const boost::json::value& value, std::string_view what);

}  // namespace drystone

// How a ClusterCore begins, and what it leaves for the next life.

#include <boost/json.hpp>

#include "cluster/core/cluster_core.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

constexpr std::string_view kForm = "drystone-cluster/1";

}  // namespace

Result<std::unique_ptr<ClusterCore>> ClusterCore::found(std::string_view name, Crypto& crypto,
                                                        const Options& options, Wall wall) {
  ClusterId cluster;
  crypto.random(cluster);
  MemberList members = TRY(MemberList::found(cluster, name, crypto));
  std::unique_ptr<ClusterCore> core(new ClusterCore(std::move(members), crypto, options, wall));
  core->change_discovery_key();
  core->follow();
  return core;
}

Result<std::unique_ptr<ClusterCore>> ClusterCore::joined(MemberList members,
                                                         const JoinWelcome& welcome, Crypto& crypto,
                                                         const Options& options, Wall wall) {
  std::unique_ptr<ClusterCore> core(new ClusterCore(std::move(members), crypto, options, wall));
  const auto discovery =
      TRY(parse_json(welcome.discovery, {.bytes_max = kMapValueBytesMax, .depth_max = 4}));
  if (!discovery.is_null()) {
    MapEntry entry = TRY(parse_map_entry(discovery));
    if (entry.key != kDiscoveryKey)
      return Error(Errc::corrupt, "the welcome has another key than that of discovery");
    TRY(core->map_.merge(std::move(entry), core->wall_ms_));
  }
  core->follow();
  return core;
}

SavedCluster ClusterCore::snapshot() const {
  SavedCluster saved{.members = members_, .state = {}};
  saved.state.reserve(map_.size());
  for (const MapEntry* entry : map_.entries()) saved.state.push_back(*entry);
  return saved;
}

std::string to_text(const SavedCluster& saved) {
  json::array state;
  for (const MapEntry& entry : saved.state) state.push_back(to_json(entry));
  return json::serialize(json::object{
      {"form", kForm}, {"members", to_json(saved.members)}, {"state", std::move(state)}});
}

Result<std::unique_ptr<ClusterCore>> ClusterCore::restore(std::string_view saved, Crypto& crypto,
                                                          const Options& options, Wall wall) {
  const auto value = TRY(parse_json(saved, {.bytes_max = kSavedBytesMax, .depth_max = 8}));
  JsonFields fields(value, "saved cluster");
  std::string form, list;
  fields.text("form", form, 64);
  if (fields.ok() && form != kForm) fields.fail("form", "is not " + std::string(kForm));
  fields.text("members", list, kMemberListBytesMax);
  std::vector<MapEntry> entries;
  fields.elements("state", entries, kMapEntriesMax, parse_map_entry);
  TRY(fields.finish_strictly());
  MemberList members = TRY(parse_member_list(list, crypto));
  std::unique_ptr<ClusterCore> core(new ClusterCore(std::move(members), crypto, options, wall));
  for (MapEntry& entry : entries) {
    if (StateMap::is_ahead(entry, core->wall_ms_)) continue;  // nobody takes it: no reason to fail
    TRY(core->map_.merge(std::move(entry), core->wall_ms_));
  }
  core->follow();
  core->events_.clear();
  core->unsaved_ = false;
  return core;
}

}  // namespace drystone::cluster

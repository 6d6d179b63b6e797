#include "cluster/members/member_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/base32.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

constexpr std::string_view kForm = "drystone-members/1";

Result<PublicKey> parse_key(const json::value& json) {
  PublicKey key;
  const json::string* letters = json.if_string();
  if (!letters || !from_base32({letters->data(), letters->size()}, key))
    return Error(Errc::corrupt, "is no key");
  return key;
}

}  // namespace

json::object to_json(const MemberEntry& entry) {
  return {{"key", to_base32(entry.key)},
          {"name", entry.name},
          {"at", entry.added_at},
          {"by", to_base32(entry.added_by)},
          {"signature", to_base32(entry.signature)}};
}

json::object to_json(const Removal& removal) {
  json::array kept;
  for (const PublicKey& key : removal.kept) kept.emplace_back(to_base32(key));
  return {{"key", to_base32(removal.key)},
          {"by", to_base32(removal.removed_by)},
          {"kept", std::move(kept)},
          {"signature", to_base32(removal.signature)}};
}

Result<MemberEntry> parse_member_entry(const json::value& json) {
  JsonFields fields(json, "member");
  MemberEntry entry;
  fields.bytes("key", entry.key);
  fields.text("name", entry.name, kNameBytesMax);
  fields.integer("at", entry.added_at, 0, kJsonNumberMax);
  fields.bytes("by", entry.added_by);
  fields.bytes("signature", entry.signature);
  TRY(fields.finish_strictly());
  return entry;
}

Result<Removal> parse_removal(const json::value& json) {
  JsonFields fields(json, "removal");
  Removal removal;
  fields.bytes("key", removal.key);
  fields.bytes("by", removal.removed_by);
  fields.elements("kept", removal.kept, kKeptMax, parse_key);
  fields.bytes("signature", removal.signature);
  TRY(fields.finish_strictly());
  return removal;
}

std::string to_json(const MemberList& list) {
  json::array entries, removals;
  for (const MemberEntry& entry : list.entries()) entries.push_back(to_json(entry));
  for (const Removal& removal : list.removals()) removals.push_back(to_json(removal));
  return json::serialize(json::object{{"form", kForm},
                                      {"cluster", to_base32(list.cluster())},
                                      {"founder", to_base32(list.founder())},
                                      {"entries", std::move(entries)},
                                      {"removals", std::move(removals)}});
}

Result<MemberList> parse_member_list(const json::value& json, const Crypto& crypto) {
  JsonFields fields(json, "member list");
  std::string form;
  fields.text("form", form, 64);
  if (fields.ok() && form != kForm) fields.fail("form", "is not " + std::string(kForm));
  ClusterId cluster;
  PublicKey founder;
  fields.bytes("cluster", cluster);
  fields.bytes("founder", founder);
  std::vector<MemberEntry> entries;
  fields.elements("entries", entries, kMemberEntriesMax, parse_member_entry);
  std::vector<Removal> removals;
  fields.elements("removals", removals, kRemovalsMax, parse_removal);
  TRY(fields.finish_strictly());
  MemberList list(cluster, founder);
  auto merged = list.merge(entries, removals, crypto);
  if (!merged.refused.empty()) return std::move(merged.refused.front()).with("member list");
  if (entries.empty())
    return Error(Errc::corrupt, "member list: there is no entry, not even the founder's");
  return list;
}

Result<MemberList> parse_member_list(std::string_view json, const Crypto& crypto) {
  return parse_member_list(
      TRY(parse_json(json, {.bytes_max = kMemberListBytesMax, .depth_max = 5}, "member list")),
      crypto);
}

}  // namespace drystone::cluster

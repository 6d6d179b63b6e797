#include "cluster/members/member_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cluster/wire/base32.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

constexpr std::string_view kForm = "drystone-members/1";

template <typename T, typename Parse>
Result<std::vector<T>> parse_all(const JsonFields& fields, std::string_view name,
                                 std::size_t size_max, const Parse& parse) {
  std::vector<T> all;
  const json::array* array = TRY(fields.array(name, size_max));
  for (std::size_t i = 0; i < array->size(); ++i) {
    auto one = parse((*array)[i]);
    if (!one) return std::move(one).error().with(fmt::format("{}[{}]", name, i));
    all.push_back(*std::move(one));
  }
  return all;
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
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"key", "name", "at", "by", "signature"}));
  MemberEntry entry;
  TRY(fields.bytes("key", entry.key));
  entry.name = TRY(fields.text("name", kNameBytesMax));
  entry.added_at = TRY(fields.number("at"));
  TRY(fields.bytes("by", entry.added_by));
  TRY(fields.bytes("signature", entry.signature));
  return entry;
}

Result<Removal> parse_removal(const json::value& json) {
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"key", "by", "kept", "signature"}));
  Removal removal;
  TRY(fields.bytes("key", removal.key));
  TRY(fields.bytes("by", removal.removed_by));
  for (const json::value& text : *TRY(fields.array("kept", kKeptMax))) {
    PublicKey key;
    const json::string* letters = text.if_string();
    if (!letters || !from_base32({letters->data(), letters->size()}, key))
      return Error(Errc::corrupt, "field kept holds what is no key");
    removal.kept.push_back(key);
  }
  TRY(fields.bytes("signature", removal.signature));
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
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"form", "cluster", "founder", "entries", "removals"}));
  if (TRY(fields.text("form", 64)) != kForm)
    return Error(Errc::corrupt, fmt::format("field form is not {}", kForm));
  ClusterId cluster;
  PublicKey founder;
  TRY(fields.bytes("cluster", cluster));
  TRY(fields.bytes("founder", founder));
  const auto entries =
      TRY(parse_all<MemberEntry>(fields, "entries", kMemberEntriesMax, parse_member_entry));
  const auto removals = TRY(parse_all<Removal>(fields, "removals", kRemovalsMax, parse_removal));
  MemberList list(cluster, founder);
  auto merged = list.merge(entries, removals, crypto);
  if (!merged.refused.empty()) return std::move(merged.refused.front());
  if (entries.empty()) return Error(Errc::corrupt, "there is no entry, not even the founder's");
  return list;
}

Result<MemberList> parse_member_list(std::string_view json, const Crypto& crypto) {
  auto value = parse_json(json, {.bytes_max = kMemberListBytesMax, .depth_max = 5});
  if (!value) return std::move(value).error().with("member list");
  auto list = parse_member_list(*value, crypto);
  if (!list) return std::move(list).error().with("member list");
  return list;
}

}  // namespace drystone::cluster

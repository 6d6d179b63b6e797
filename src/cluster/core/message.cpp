#include "cluster/core/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/base32.h"
#include "base/check.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

// Packs the elements of arrays into as few messages as hold them.
class Packer {
 public:
  explicit Packer(std::string head) : head_(std::move(head)), text_(head_) {}

  void field(std::string_view name, const std::string& value) {
    if (text_.size() + name.size() + value.size() + kSlack > kMessageBytesMax) flush();
    close_array();
    text_ += fmt::format(R"(,"{}":{})", name, value);
  }
  void element(std::string_view name, const std::string& value) {
    if (text_.size() + name.size() + value.size() + kSlack > kMessageBytesMax) flush();
    if (array_ == name) {
      text_ += "," + value;
      return;
    }
    close_array();
    array_ = name;
    text_ += fmt::format(R"(,"{}":[{})", name, value);
  }
  std::vector<std::string> finish() {
    if (done_.empty() || text_ != head_) flush();
    return std::move(done_);
  }

 private:
  static constexpr std::size_t kSlack = 16;  // quotes, colons and closing brackets

  void close_array() {
    if (!array_.empty()) text_ += "]";
    array_ = {};
  }
  void flush() {
    close_array();
    CHECK(text_.size() < kMessageBytesMax, text_.size());
    if (done_.size() < kMessagesAtOnceMax) done_.push_back(text_ + "}");
    text_ = head_;
  }

  std::string head_, text_;
  std::string_view array_;
  std::vector<std::string> done_;
};

json::object to_json(const MembershipPart::Ask& ask) {
  return {{"target", ask.target}, {"number", ask.number}};
}

json::object to_json(const NodeRecord& record) {
  const std::string_view state = to_string(record.state);
  return {{"id", record.id},
          {"start", record.start},
          {"incarnation", record.incarnation},
          {"state", json::string_view(state.data(), state.size())}};
}

json::object to_json(const StatePart::Listing& listing) {
  json::array buckets, keys;
  for (const std::uint8_t bucket : listing.buckets) buckets.emplace_back(bucket);
  for (const StatePart::Listed& listed : listing.keys)
    keys.push_back(json::object{{"key", listed.key},
                                {"counter", listed.version.counter},
                                {"node", listed.version.node},
                                {"hash", to_hex64(listed.hash)}});
  json::object all{
      {"buckets", std::move(buckets)}, {"after", listing.after}, {"keys", std::move(keys)}};
  if (listing.until) all["until"] = *listing.until;
  return all;
}

void read_id(JsonFields& fields, std::string_view name, NodeId& id) {
  fields.text(name, id, kNodeIdLength);
  if (fields.ok() && !is_node_id(id)) fields.fail(name, "is no node id");
}

void read_key(JsonFields& fields, std::string_view name, std::string& key) {
  fields.text(name, key, kMapKeyBytesMax);
  if (!fields.ok()) return;
  if (auto checked = check_key(key); !checked) fields.fail(name, checked.error().message());
}

void read_version(JsonFields& fields, Version& version) {
  fields.integer("counter", version.counter, 0, kCounterMax);
  read_id(fields, "node", version.node);
}

Result<MembershipPart::Ask> parse_ask(const json::value& json) {
  JsonFields fields(json, "question");
  MembershipPart::Ask ask;
  read_id(fields, "target", ask.target);
  fields.integer("number", ask.number, 0, kJsonNumberMax);
  TRY(fields.finish_strictly());
  return ask;
}

Result<NodeRecord> parse_record(const json::value& json) {
  JsonFields fields(json, "node");
  NodeRecord record;
  read_id(fields, "id", record.id);
  fields.integer("start", record.start, 0, kStartMax);
  fields.integer("incarnation", record.incarnation, 0, kStartMax);
  std::string name;
  fields.text("state", name, 16);
  TRY(fields.finish_strictly());
  for (const NodeState state :
       {NodeState::alive, NodeState::suspect, NodeState::dead, NodeState::left}) {
    record.state = state;
    if (to_string(state) == name) return record;
  }
  return Error(Errc::corrupt, "node: \"state\" is no state of a node");
}

Result<std::uint64_t> parse_number(const json::value& json) { return json_number(json); }

Result<std::string> parse_key(const json::value& json) {
  const json::string* text = json.if_string();
  if (!text) return Error(Errc::corrupt, "is no key");
  const std::string_view key(text->data(), text->size());
  if (auto checked = check_key(key); !checked)
    return Error(Errc::corrupt, checked.error().message());
  return std::string(key);
}

Result<std::uint64_t> parse_bucket(const json::value& json) {
  const json::string* text = json.if_string();
  return from_hex64(text ? std::string_view(text->data(), text->size()) : "");
}

Result<std::uint8_t> parse_bucket_index(const json::value& json) {
  return static_cast<std::uint8_t>(TRY(json_number(json, kMapBuckets - 1)));
}

Result<StatePart::Listed> parse_listed(const json::value& json) {
  JsonFields fields(json, "key");
  StatePart::Listed listed;
  read_key(fields, "key", listed.key);
  read_version(fields, listed.version);
  fields.hex64("hash", listed.hash);
  TRY(fields.finish_strictly());
  return listed;
}

Result<StatePart::Listing> parse_listing(const json::value& json) {
  JsonFields fields(json, "listing");
  StatePart::Listing listing;
  fields.elements("buckets", listing.buckets, kMapBuckets, parse_bucket_index);
  fields.text("after", listing.after, kMapKeyBytesMax);
  if (fields.has("until")) fields.text("until", listing.until.emplace(), kMapKeyBytesMax);
  fields.maybe_elements("keys", listing.keys, kListedMax, parse_listed);
  TRY(fields.finish_strictly());
  std::string_view last = listing.after;
  for (const StatePart::Listed& listed : listing.keys) {
    if (listed.key <= last) return Error(Errc::corrupt, "listing: its keys are not in order");
    last = listed.key;
  }
  if (listing.until && last > *listing.until)
    return Error(Errc::corrupt, "listing: a key stands after its end");
  return listing;
}

void read_membership(JsonFields& fields, MembershipPart& part) {
  fields.integer("start", part.start, 0, kStartMax);
  fields.integer("incarnation", part.incarnation, 0, kStartMax);
  fields.maybe_boolean("leaving", part.leaving);
  fields.hex64("view", part.view);
  fields.maybe_elements("pings", part.pings, kProbesPerMessageMax, parse_number);
  fields.maybe_elements("acks", part.acks, kProbesPerMessageMax, parse_number);
  fields.maybe_elements("asks", part.asks, kProbesPerMessageMax, parse_ask);
  fields.maybe_elements("vouches", part.vouches, kProbesPerMessageMax, parse_ask);
  fields.maybe_elements("rumours", part.rumours, kRumoursPerMessageMax, parse_record);
}

void read_buckets(JsonFields& fields, std::optional<StateMap::Buckets>& buckets) {
  if (!fields.has("buckets")) return;
  std::vector<std::uint64_t> read;
  fields.elements("buckets", read, kMapBuckets, parse_bucket);
  if (!fields.ok()) return;
  if (read.size() != kMapBuckets)
    return fields.fail("buckets",
                       fmt::format("has {} elements instead of {}", read.size(), kMapBuckets));
  std::ranges::copy(read, buckets.emplace().begin());
}

void read_state(JsonFields& fields, StatePart& part) {
  fields.hex64("state", part.digest);
  read_buckets(fields, part.buckets);
  if (const json::value* listing = fields.find("listing")) {
    auto parsed = parse_listing(*listing);
    if (!parsed) return fields.fail(std::move(parsed).error());
    part.listing = *std::move(parsed);
  }
  fields.maybe_elements("wanted", part.wanted, kWantedMax, parse_key);
  fields.maybe_elements("entries", part.entries, kMapEntriesMax, parse_map_entry);
}

}  // namespace

json::object to_json(const MapEntry& entry) {
  json::object object{
      {"key", entry.key}, {"counter", entry.version.counter}, {"node", entry.version.node}};
  if (entry.value) {
    object["value"] = *entry.value;
  } else {
    object["erased"] = true;
  }
  return object;
}

Result<MapEntry> parse_map_entry(const json::value& json) {
  JsonFields fields(json, "entry");
  MapEntry entry;
  read_key(fields, "key", entry.key);
  read_version(fields, entry.version);
  bool erased = false;
  fields.maybe_boolean("erased", erased);
  if (fields.has("value")) fields.text("value", entry.value.emplace(), kMapValueBytesMax);
  TRY(fields.finish_strictly());
  if (erased == entry.value.has_value())
    return Error(Errc::corrupt, "an entry has a value or is erased, one of both");
  // JSON text has no others; they would grow sixfold when they are written.
  if (entry.value && std::ranges::any_of(*entry.value, [](char c) {
        return c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r';
      }))
    return Error(Errc::corrupt, "entry: \"value\" has a control character");
  return entry;
}

std::vector<std::string> to_texts(const Message& message) {
  const MembershipPart& membership = message.membership;
  const StatePart& state = message.state;
  Packer packer(fmt::format(
      R"({{"v":{},"cluster":"{}","start":{},"incarnation":{},"view":"{}","members":"{}","state":"{}"{})",
      kMessageVersion, to_base32(message.cluster), membership.start, membership.incarnation,
      to_hex64(membership.view), to_hex64(message.members), to_hex64(state.digest),
      membership.leaving ? R"(,"leaving":true)" : ""));
  const auto each = [&](std::string_view name, const auto& elements) {
    for (const auto& element : elements) packer.element(name, json::serialize(to_json(element)));
  };
  for (const std::uint64_t number : membership.pings)
    packer.element("pings", std::to_string(number));
  for (const std::uint64_t number : membership.acks) packer.element("acks", std::to_string(number));
  each("asks", membership.asks);
  each("vouches", membership.vouches);
  each("rumours", membership.rumours);
  each("member_entries", message.entries);
  each("removals", message.removals);
  if (state.buckets) {
    std::string buckets;
    for (const std::uint64_t bucket : *state.buckets)
      buckets += fmt::format(R"({}"{}")", buckets.empty() ? "" : ",", to_hex64(bucket));
    packer.field("buckets", "[" + buckets + "]");
  }
  if (state.listing) packer.field("listing", json::serialize(to_json(*state.listing)));
  for (const std::string& key : state.wanted)
    packer.element("wanted", json::serialize(json::string(key)));
  each("entries", state.entries);
  return packer.finish();
}

Result<Message> parse_message(std::string_view text) {
  const auto value = TRY(parse_json(text, {.bytes_max = kMessageBytesMax, .depth_max = 5}));
  JsonFields fields(value, "message");
  std::uint64_t version = 0;
  fields.integer("v", version, 0, kJsonNumberMax);
  TRY(fields.finish());
  if (version != kMessageVersion)
    return Error(Errc::corrupt, fmt::format("message: \"v\" is {}, this node speaks {}", version,
                                            kMessageVersion));
  Message message;
  fields.bytes("cluster", message.cluster);
  fields.hex64("members", message.members);
  read_membership(fields, message.membership);
  read_state(fields, message.state);
  fields.maybe_elements("member_entries", message.entries, kMemberEntriesMax, parse_member_entry);
  fields.maybe_elements("removals", message.removals, kRemovalsMax, parse_removal);
  TRY(fields.finish());
  return message;
}

}  // namespace drystone::cluster

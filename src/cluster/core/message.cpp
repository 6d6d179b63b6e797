#include "cluster/core/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/check.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/base32.h"
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

Result<NodeId> id_of(const JsonFields& fields, std::string_view name) {
  const std::string_view id = TRY(fields.text(name, kNodeIdLength));
  if (!is_node_id(id)) return Error(Errc::corrupt, fmt::format("field {} is no node id", name));
  return NodeId(id);
}

Result<std::string> key_of(const JsonFields& fields, std::string_view name) {
  const std::string_view key = TRY(fields.text(name, kMapKeyBytesMax));
  if (auto checked = check_key(key); !checked)
    return Error(Errc::corrupt, checked.error().message());
  return std::string(key);
}

Result<MembershipPart::Ask> parse_ask(const json::value& json) {
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"target", "number"}));
  return MembershipPart::Ask{TRY(id_of(fields, "target")), TRY(fields.number("number"))};
}

Result<NodeRecord> parse_record(const json::value& json) {
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"id", "start", "incarnation", "state"}));
  NodeRecord record{.id = TRY(id_of(fields, "id")),
                    .start = TRY(fields.number("start", kStartMax)),
                    .incarnation = TRY(fields.number("incarnation", kStartMax))};
  const std::string_view name = TRY(fields.text("state", 16));
  for (const NodeState state :
       {NodeState::alive, NodeState::suspect, NodeState::dead, NodeState::left}) {
    record.state = state;
    if (to_string(state) == name) return record;
  }
  return Error(Errc::corrupt, "field state is no state of a node");
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

// Reads the array `name`, if there is one, element by element.
template <typename T, typename Parse>
Result<void> read_array(const JsonFields& fields, std::string_view name, std::size_t size_max,
                        const Parse& parse, std::vector<T>& into) {
  const json::array* array = TRY(fields.array_or_none(name, size_max));
  into.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    auto element = parse((*array)[i]);
    if (!element) return std::move(element).error().with(fmt::format("{}[{}]", name, i));
    into.push_back(*std::move(element));
  }
  return {};
}

Result<StateMap::Buckets> parse_buckets(const JsonFields& fields) {
  StateMap::Buckets buckets{};
  const json::array* array = TRY(fields.array("buckets", kMapBuckets));
  if (array->size() != kMapBuckets)
    return Error(Errc::corrupt, fmt::format("field buckets has {} elements instead of {}",
                                            array->size(), kMapBuckets));
  for (std::size_t i = 0; i < kMapBuckets; ++i) {
    const json::string* text = (*array)[i].if_string();
    auto bucket = from_hex64(text ? std::string_view(text->data(), text->size()) : "");
    if (!bucket) return std::move(bucket).error().with(fmt::format("buckets[{}]", i));
    buckets[i] = *bucket;
  }
  return buckets;
}

Result<StatePart::Listed> parse_listed(const json::value& json) {
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"key", "counter", "node", "hash"}));
  return StatePart::Listed{
      .key = TRY(key_of(fields, "key")),
      .version = {TRY(fields.number("counter", kCounterMax)), TRY(id_of(fields, "node"))},
      .hash = TRY(fields.hex64("hash"))};
}

Result<StatePart::Listing> parse_listing(const json::value& json) {
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"buckets", "after", "until", "keys"}));
  StatePart::Listing listing;
  for (const json::value& bucket : *TRY(fields.array("buckets", kMapBuckets)))
    listing.buckets.push_back(static_cast<std::uint8_t>(TRY(json_number(bucket, kMapBuckets - 1))));
  listing.after = TRY(fields.text("after", kMapKeyBytesMax));
  if (fields.has("until")) listing.until = TRY(fields.text("until", kMapKeyBytesMax));
  TRY(read_array(fields, "keys", kListedMax, parse_listed, listing.keys));
  std::string_view last = listing.after;
  for (const StatePart::Listed& listed : listing.keys) {
    if (listed.key <= last) return Error(Errc::corrupt, "the listed keys are not in order");
    last = listed.key;
  }
  if (listing.until && last > *listing.until)
    return Error(Errc::corrupt, "a listed key stands after the end of the listing");
  return listing;
}

Result<MembershipPart> parse_membership(const JsonFields& fields) {
  MembershipPart part{.start = TRY(fields.number("start", kStartMax)),
                      .incarnation = TRY(fields.number("incarnation", kStartMax)),
                      .leaving = fields.has("leaving") && TRY(fields.flag("leaving")),
                      .view = TRY(fields.hex64("view"))};
  TRY(read_array(fields, "pings", kProbesPerMessageMax, parse_number, part.pings));
  TRY(read_array(fields, "acks", kProbesPerMessageMax, parse_number, part.acks));
  TRY(read_array(fields, "asks", kProbesPerMessageMax, parse_ask, part.asks));
  TRY(read_array(fields, "vouches", kProbesPerMessageMax, parse_ask, part.vouches));
  TRY(read_array(fields, "rumours", kRumoursPerMessageMax, parse_record, part.rumours));
  return part;
}

Result<StatePart> parse_state(const JsonFields& fields, const json::object& object) {
  StatePart part{.digest = TRY(fields.hex64("state"))};
  if (fields.has("buckets")) part.buckets = TRY(parse_buckets(fields));
  if (const json::value* listing = object.if_contains("listing")) {
    auto parsed = parse_listing(*listing);
    if (!parsed) return std::move(parsed).error().with("listing");
    part.listing = *std::move(parsed);
  }
  TRY(read_array(fields, "wanted", kWantedMax, parse_key, part.wanted));
  TRY(read_array(fields, "entries", kMapEntriesMax, parse_map_entry, part.entries));
  return part;
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
  const JsonFields fields = TRY(JsonFields::of(json));
  TRY(fields.only({"key", "counter", "node", "value", "erased"}));
  MapEntry entry{
      .key = TRY(key_of(fields, "key")),
      .version = {TRY(fields.number("counter", kCounterMax)), TRY(id_of(fields, "node"))}};
  const bool erased = fields.has("erased") && TRY(fields.flag("erased"));
  if (erased == fields.has("value"))
    return Error(Errc::corrupt, "an entry has a value or is erased, one of both");
  if (!erased) {
    entry.value = TRY(fields.text("value", kMapValueBytesMax));
    // JSON text has no others; they would grow sixfold when they are written.
    if (std::ranges::any_of(*entry.value, [](char c) {
          return c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r';
        }))
      return Error(Errc::corrupt, "field value has a control character");
  }
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
  const JsonFields fields = TRY(JsonFields::of(value));
  if (const std::uint64_t version = TRY(fields.number("v")); version != kMessageVersion)
    return Error(Errc::corrupt,
                 fmt::format("field v is {}, this node speaks {}", version, kMessageVersion));
  Message message;
  TRY(fields.bytes("cluster", message.cluster));
  message.members = TRY(fields.hex64("members"));
  message.membership = TRY(parse_membership(fields));
  message.state = TRY(parse_state(fields, value.as_object()));
  TRY(read_array(fields, "member_entries", kMemberEntriesMax, parse_member_entry, message.entries));
  TRY(read_array(fields, "removals", kRemovalsMax, parse_removal, message.removals));
  return message;
}

}  // namespace drystone::cluster

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cluster/plan/placement.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kU32Max = std::numeric_limits<std::uint32_t>::max();
constexpr Bytes kPartBytesMax = Bytes{1} << 60;
constexpr std::size_t kDegradedMax = 1024;

json::array to_json(const Span& span) { return {span.begin, span.end}; }

Span read_span(JsonFields& fields, std::string_view name) {
  const json::array* ends = fields.need_array(name, 2);
  if (ends == nullptr) return {};
  const auto at = [&](std::size_t i) -> std::optional<std::uint32_t> {
    if (ends->size() != 2) return std::nullopt;
    json::error_code not_one;
    const auto number = (*ends)[i].to_number<std::uint32_t>(not_one);
    if (not_one || (*ends)[i].is_double()) return std::nullopt;
    return number;
  };
  const auto begin = at(0), end = at(1);
  if (!begin || !end || *begin > *end) return fields.fail(name, "is no range [begin, end]"), Span{};
  return {*begin, *end};
}

PartBytes read_bytes(JsonFields& part) {
  PartBytes bytes;
  if (const auto* value = part.need("bytes")) {
    JsonFields fields(*value, "bytes of a part");
    fields.integer("weights", bytes.weights, 0, kPartBytesMax);
    fields.integer("kv", bytes.kv, 0, kPartBytesMax);
    fields.integer("working", bytes.working, 0, kPartBytesMax);
    if (auto read = fields.finish_strictly(); !read) part.fail(std::move(read).error());
  }
  return bytes;
}

Result<PlacedPart> read_part(const json::value& value) {
  PlacedPart part;
  JsonFields fields(value, "part of a placement");
  fields.string("node", part.node, kPlanNameMax);
  fields.integer("stage", part.stage, 0, kPartsMax);
  fields.integer("rank", part.rank, 0, kRanksMax - 1);
  fields.integer("ranks", part.ranks, 1, kRanksMax);
  part.layers = read_span(fields, "layers");
  part.kv_heads = read_span(fields, "kv_heads");
  part.ff = read_span(fields, "ff");
  part.vocab = read_span(fields, "vocab");
  part.bytes = read_bytes(fields);
  TRY(fields.finish_strictly());
  return part;
}

void read_epoch(JsonFields& placement, Epoch& epoch) {
  placement.integer("epoch", epoch.number, 0, std::numeric_limits<std::int64_t>::max());
  placement.string("keeper", epoch.keeper, kPlanNameMax);
}

void read_shape(JsonFields& placement, ModelShape& shape) {
  if (const auto* value = placement.need("shape")) {
    JsonFields fields(*value, "shape of a model");
    fields.integer("layers", shape.layers, 1, kPlanLayersMax);
    fields.integer("kv_heads", shape.kv_heads, 1, kU32Max);
    fields.integer("ff_width", shape.ff_width, 1, kU32Max);
    fields.integer("vocab", shape.vocab, 1, kU32Max);
    if (auto read = fields.finish_strictly(); !read) placement.fail(std::move(read).error());
  }
}

}  // namespace

json::object to_json(const Placement& placement) {
  json::array parts;
  for (const PlacedPart& part : placement.parts)
    parts.push_back({{"node", part.node},
                     {"stage", part.stage},
                     {"rank", part.rank},
                     {"ranks", part.ranks},
                     {"layers", to_json(part.layers)},
                     {"kv_heads", to_json(part.kv_heads)},
                     {"ff", to_json(part.ff)},
                     {"vocab", to_json(part.vocab)},
                     {"bytes",
                      {{"weights", part.bytes.weights},
                       {"kv", part.bytes.kv},
                       {"working", part.bytes.working}}}});
  json::object out = {{"instance", placement.instance},
                      {"model", placement.model},
                      {"epoch", placement.epoch.number},
                      {"keeper", placement.epoch.keeper},
                      {"head", placement.head},
                      {"shape",
                       {{"layers", placement.shape.layers},
                        {"kv_heads", placement.shape.kv_heads},
                        {"ff_width", placement.shape.ff_width},
                        {"vocab", placement.shape.vocab}}},
                      {"context", placement.context},
                      {"kv_tokens", placement.kv_tokens},
                      {"streams", placement.streams},
                      {"rows_max", placement.rows_max},
                      {"kv_format", to_string(placement.kv_format)},
                      {"row_format", to_string(placement.row_format)},
                      {"one_shot_bytes", placement.one_shot_bytes},
                      {"parts", std::move(parts)}};
  if (!placement.degraded.empty()) out["degraded"] = placement.degraded;
  return out;
}

Result<Placement> placement_from_json(const json::value& value) {
  Placement placement;
  JsonFields fields(value, "placement");
  fields.string("instance", placement.instance, kPlanNameMax);
  fields.string("model", placement.model, kPlanNameMax);
  read_epoch(fields, placement.epoch);
  fields.string("head", placement.head, kPlanNameMax);
  read_shape(fields, placement.shape);
  fields.integer("context", placement.context, 1, 1 << 30);
  fields.integer("kv_tokens", placement.kv_tokens, 1, 1 << 30);
  fields.integer("streams", placement.streams, 1, 1 << 20);
  fields.integer("rows_max", placement.rows_max, 1, 1 << 20);
  std::string format, row_format;
  fields.string("kv_format", format, kPlanNameMax);
  fields.string("row_format", row_format, kPlanNameMax);
  fields.integer("one_shot_bytes", placement.one_shot_bytes, 0, kPartBytesMax);
  fields.maybe_string("degraded", placement.degraded, kDegradedMax);
  if (const json::array* parts = fields.need_array("parts", kPartsMax))
    for (const json::value& item : *parts) {
      auto part = read_part(item);
      if (!part) {
        fields.fail(std::move(part).error());
        break;
      }
      placement.parts.push_back(*std::move(part));
    }
  TRY(fields.finish_strictly());
  if (const auto known = kv_format_from(format))
    placement.kv_format = *known;
  else
    return Error(Errc::corrupt, "placement: " + known.error().message());
  if (const auto known = row_format_from(row_format))
    placement.row_format = *known;
  else
    return Error(Errc::corrupt, "placement: " + known.error().message());
  TRY(validate(placement));
  return placement;
}

Result<Placement> parse_placement(std::string_view text) {
  return placement_from_json(TRY(parse_json(text, {.bytes_max = kPlacementJsonMax}, "placement")));
}

}  // namespace drystone

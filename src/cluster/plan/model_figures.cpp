#include "cluster/plan/model_figures.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

// So chosen that no sum of a planner can pass 2^63.
constexpr Bytes kTensorBytesMax = Bytes{1} << 48;
constexpr std::uint64_t kMultiplyAddsMax = std::uint64_t{1} << 48;
constexpr std::uint32_t kKvValuesMax = 1 << 20;
constexpr std::uint32_t kWidthMax = 1 << 24;
constexpr Bytes kRowBytesMax = Bytes{1} << 32;

json::array to_json(const std::vector<TypedWeights>& weights) {
  json::array out;
  for (const TypedWeights& each : weights)
    out.push_back(
        {{"type", each.type}, {"bytes", each.bytes}, {"multiply_adds", each.multiply_adds}});
  return out;
}

TypedWeights read_weights(JsonFields& parent, const json::value& value, std::string what) {
  TypedWeights weights;
  JsonFields fields(value, std::move(what));
  fields.string("type", weights.type, kPlanNameMax);
  fields.integer("bytes", weights.bytes, 0, kTensorBytesMax);
  fields.integer("multiply_adds", weights.multiply_adds, 0, kMultiplyAddsMax);
  if (auto read = fields.finish(); !read) parent.fail(std::move(read).error());
  return weights;
}

std::vector<TypedWeights> read_weight_list(JsonFields& layer, std::string_view name) {
  std::vector<TypedWeights> weights;
  if (const json::array* items = layer.need_array(name, kPlanTypesMax))
    for (const json::value& item : *items)
      weights.push_back(read_weights(layer, item, "weights of a layer"));
  return weights;
}

void read_layers(JsonFields& model, std::vector<LayerFigures>& layers) {
  const json::array* runs = model.need_array("layers", kPlanLayersMax);
  if (runs == nullptr) return;
  for (const json::value& run : *runs) {
    JsonFields fields(run, "layers of a model");
    LayerFigures layer;
    std::uint32_t count = 0;
    fields.integer("count", count, 1, kPlanLayersMax);
    layer.attention = read_weight_list(fields, "attention");
    layer.feed_forward = read_weight_list(fields, "feed_forward");
    fields.integer("whole_bytes", layer.whole_bytes, 0, kTensorBytesMax);
    fields.integer("kv_values", layer.kv_values, 0, kKvValuesMax);
    fields.integer("position_ops", layer.position_ops, 0, kMultiplyAddsMax);
    fields.maybe_integer("window", layer.window, 0, std::numeric_limits<std::uint32_t>::max());
    if (auto read = fields.finish(); !read) return model.fail(std::move(read).error());
    if (layers.size() + count > kPlanLayersMax)
      return model.fail("layers", fmt::format("are more than {}", kPlanLayersMax));
    layers.insert(layers.end(), count, layer);
  }
}

void read_working(JsonFields& model, WorkingMemory& working) {
  const json::value* value = model.need("working");
  if (value == nullptr) return;
  JsonFields fields(*value, "working memory");
  fields.integer("fixed", working.fixed, 0, kTensorBytesMax);
  fields.integer("row_whole", working.row_whole, 0, kRowBytesMax);
  fields.integer("row_divided", working.row_divided, 0, kRowBytesMax);
  fields.integer("logit_row", working.logit_row, 0, kRowBytesMax);
  if (auto read = fields.finish(); !read) model.fail(std::move(read).error());
}

Result<void> check(const ModelFigures& model) {
  const auto bad = [&](std::string problem) {
    return Error(Errc::corrupt, fmt::format("figures of {}: {}", model.name, problem));
  };
  if (model.name.empty()) return bad("no name");
  if (model.layers.empty()) return bad("no layers");
  if (model.kv_heads % model.kv_block != 0)
    return bad(fmt::format("{} KV heads are no multiple of their block {}", model.kv_heads,
                           model.kv_block));
  if (model.ff_width % model.ff_block != 0)
    return bad(fmt::format("feed-forward width {} is no multiple of its block {}", model.ff_width,
                           model.ff_block));
  return {};
}

}  // namespace

Bytes ModelFigures::layer_bytes() const {
  Bytes sum = 0;
  for (const LayerFigures& layer : layers) {
    sum += layer.whole_bytes;
    for (const TypedWeights& weights : layer.attention) sum += weights.bytes;
    for (const TypedWeights& weights : layer.feed_forward) sum += weights.bytes;
  }
  return sum;
}

Bytes ModelFigures::weights_bytes() const {
  return layer_bytes() + embedding.bytes + (tied ? 0 : output.bytes);
}

json::object to_json(const ModelFigures& model) {
  json::array layers;
  for (std::size_t i = 0; i < model.layers.size();) {
    const LayerFigures& layer = model.layers[i];
    std::size_t end = i + 1;
    while (end < model.layers.size() && model.layers[end] == layer) ++end;
    layers.push_back({{"count", end - i},
                      {"attention", to_json(layer.attention)},
                      {"feed_forward", to_json(layer.feed_forward)},
                      {"whole_bytes", layer.whole_bytes},
                      {"kv_values", layer.kv_values},
                      {"position_ops", layer.position_ops},
                      {"window", layer.window}});
    i = end;
  }
  const auto one = [](const TypedWeights& weights) { return to_json(std::vector{weights})[0]; };
  return {{"name", model.name},
          {"context", model.context},
          {"d_model", model.d_model},
          {"vocab", model.vocab},
          {"kv_heads", model.kv_heads},
          {"kv_block", model.kv_block},
          {"ff_width", model.ff_width},
          {"ff_block", model.ff_block},
          {"vocab_block", model.vocab_block},
          {"page_tokens", model.page_tokens},
          {"layers", std::move(layers)},
          {"embedding", one(model.embedding)},
          {"output", one(model.output)},
          {"tied", model.tied},
          {"working",
           {{"fixed", model.working.fixed},
            {"row_whole", model.working.row_whole},
            {"row_divided", model.working.row_divided},
            {"logit_row", model.working.logit_row}}}};
}

Result<ModelFigures> model_figures_from_json(const json::value& value) {
  ModelFigures model;
  JsonFields fields(value, "figures of a model");
  fields.string("name", model.name, kPlanNameMax);
  fields.integer("context", model.context, 1, 1 << 30);
  fields.integer("d_model", model.d_model, 1, kWidthMax);
  fields.integer("vocab", model.vocab, 1, kWidthMax);
  fields.integer("kv_heads", model.kv_heads, 1, kWidthMax);
  fields.maybe_integer("kv_block", model.kv_block, 1, kWidthMax);
  fields.integer("ff_width", model.ff_width, 1, kWidthMax);
  fields.integer("ff_block", model.ff_block, 1, kWidthMax);
  fields.integer("vocab_block", model.vocab_block, 1, kWidthMax);
  fields.integer("page_tokens", model.page_tokens, 1, 1 << 16);
  read_layers(fields, model.layers);
  if (const auto* part = fields.need("embedding"))
    model.embedding = read_weights(fields, *part, "embedding");
  if (const auto* part = fields.need("output"))
    model.output = read_weights(fields, *part, "output matrix");
  fields.boolean("tied", model.tied);
  read_working(fields, model.working);
  TRY(fields.finish());
  TRY(check(model));
  return model;
}

std::string_view to_string(KvFormat format) {
  switch (format) {
    case KvFormat::f16:
      return "f16";
    case KvFormat::f32:
      return "f32";
    case KvFormat::q8_0:
      return "q8_0";
  }
  CHECK(false, static_cast<int>(format));
}

Result<KvFormat> kv_format_from(std::string_view name) {
  for (const KvFormat format : {KvFormat::f16, KvFormat::f32, KvFormat::q8_0})
    if (name == to_string(format)) return format;
  return Error(Errc::invalid_argument,
               fmt::format("\"{}\" is no format of a KV cache: f16, f32 or q8_0", name));
}

Bytes kv_bytes(KvFormat format, std::uint64_t values) {
  switch (format) {
    case KvFormat::f16:
      return values * 2;
    case KvFormat::f32:
      return values * 4;
    case KvFormat::q8_0:
      return (values * 34 + 31) / 32;  // blocks of 32 with a scale of 16 bits
  }
  CHECK(false, static_cast<int>(format));
}

}  // namespace drystone

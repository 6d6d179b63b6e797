#include "app/node/measured.h"

#include <boost/json.hpp>

#include "app/node/kept_text.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileMax = 1 << 20, kTextMax = 256;

// Figures are kept as those of a node, so that they are read as strictly.
NodeFigures as_figures(const Measured& measured) {
  return {.id = "self",
          .read_bandwidth = measured.read_bandwidth,
          .rates = measured.rates,
          .step_fixed_s = measured.step_fixed_s,
          .layer_fixed_s = measured.layer_fixed_s};
}

Result<std::pair<MeasuredKey, Measured>> parse(const std::string& text) {
  const json::value value = TRY(parse_json(text, {.bytes_max = kFileMax}, "what was measured"));
  JsonFields fields(value, "what was measured");
  MeasuredKey key;
  fields.string("cpu", key.cpu, kTextMax);
  fields.string("isa", key.isa, kTextMax);
  fields.string("version", key.version, kTextMax);
  fields.integer("threads", key.threads, 1, 1 << 16);
  const json::value* figures = fields.need("figures");
  TRY(fields.finish());
  const NodeFigures node = TRY(node_figures_from_json(*figures));
  return std::pair{key, Measured{.read_bandwidth = node.read_bandwidth,
                                 .rates = node.rates,
                                 .step_fixed_s = node.step_fixed_s,
                                 .layer_fixed_s = node.layer_fixed_s}};
}

}  // namespace

std::optional<Measured> read_measured(const std::filesystem::path& file, const MeasuredKey& key) {
  const auto text = read_kept_text(file, kFileMax);
  if (!text || !*text) return std::nullopt;
  const auto parsed = parse(**text);
  if (!parsed || parsed->first != key) return std::nullopt;
  return parsed->second;
}

Result<void> keep_measured(const std::filesystem::path& file, const MeasuredKey& key,
                           const Measured& measured) {
  return keep_text(file, json::serialize(json::object{{"cpu", key.cpu},
                                                      {"isa", key.isa},
                                                      {"version", key.version},
                                                      {"threads", key.threads},
                                                      {"figures", to_json(as_figures(measured))}}));
}

}  // namespace drystone

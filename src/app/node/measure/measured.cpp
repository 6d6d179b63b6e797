#include "app/node/measure/measured.h"

#include <algorithm>
#include <boost/json.hpp>

#include "app/node/measure/node_speed.h"
#include "app/node/state/kept_text.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileMax = 1 << 20, kTextMax = 256;
// Of what is kept. 1 had rates of generated rows from a cache, 2 those of the best moment.
constexpr int kFormat = 3;
constexpr double kTimeMin_s = 1e-9, kTimeMax_s = 3600;

void keep_greater(std::optional<double>& best, const std::optional<double>& other) {
  best = std::max(best, other);  // none is less than any
}

// Of two that are further apart one was disturbed.
void keep_usual(std::optional<double>& usual, const std::optional<double>& other) {
  constexpr double kApart = 1.25;
  const bool near = usual && other && *usual < kApart * *other && *other < kApart * *usual;
  usual = near ? std::optional((*usual + *other) / 2) : std::max(usual, other);
}

// Rates are kept as those of a node, so that they are read as strictly.
NodeFigures as_figures(const Measured& measured) {
  return {.id = "self", .read_bandwidth = measured.read_bandwidth, .rates = measured.products};
}

json::object as_json(const StepTimes& steps) {
  json::object times;
  for (const auto& [name, time] : kStepTimes)
    if (steps.*time) times[name] = *(steps.*time);
  return times;
}

Result<std::pair<MeasuredKey, Measured>> parse(const std::string& text) {
  const json::value value = TRY(parse_json(text, {.bytes_max = kFileMax}, "what was measured"));
  JsonFields fields(value, "what was measured");
  int format = 0;
  fields.integer("format", format, kFormat, kFormat);
  MeasuredKey key;
  fields.string("cpu", key.cpu, kTextMax);
  fields.string("isa", key.isa, kTextMax);
  fields.string("version", key.version, kTextMax);
  fields.integer("threads", key.threads, 1, 1 << 16);
  const json::value* figures = fields.need("figures");
  const json::value* steps = fields.need("steps_s");
  TRY(fields.finish());
  const NodeFigures node = TRY(node_figures_from_json(*figures));
  Measured measured{.read_bandwidth = node.read_bandwidth, .products = node.rates};
  JsonFields times(*steps, "times of steps");
  for (const auto& [name, time] : kStepTimes)
    times.maybe_number(name, measured.steps.*time, kTimeMin_s, kTimeMax_s);
  TRY(times.finish());
  return std::pair{key, measured};
}

}  // namespace

Measured combined(Measured one, const Measured& other) {
  keep_greater(one.read_bandwidth, other.read_bandwidth);
  for (const auto& [type, rates] : other.products) {
    Rates& best = one.products[type];
    keep_greater(best.prompt, rates.prompt);
    // Without that of few rows a cache had the weights, which makes it no better.
    if (rates.few && !best.few)
      best.generated = rates.generated;
    else if (rates.few || !best.few)
      keep_usual(best.generated, rates.generated);
    keep_usual(best.few, rates.few);
    keep_usual(best.streamed, rates.streamed);
  }
  for (const auto& [name, time] : kStepTimes)
    if (const auto& found = other.steps.*time)
      one.steps.*time = std::min((one.steps.*time).value_or(*found), *found);
  return one;
}

std::optional<Measured> read_measured(const std::filesystem::path& file, const MeasuredKey& key) {
  const auto text = read_kept_text(file, kFileMax);
  if (!text || !*text) return std::nullopt;
  const auto parsed = parse(**text);
  if (!parsed || parsed->first != key || !is_plausible(parsed->second)) return std::nullopt;
  return parsed->second;
}

Result<void> keep_measured(const std::filesystem::path& file, const MeasuredKey& key,
                           const Measured& measured) {
  return keep_text(file, json::serialize(json::object{{"format", kFormat},
                                                      {"cpu", key.cpu},
                                                      {"isa", key.isa},
                                                      {"version", key.version},
                                                      {"threads", key.threads},
                                                      {"figures", to_json(as_figures(measured))},
                                                      {"steps_s", as_json(measured.steps)}}));
}

}  // namespace drystone

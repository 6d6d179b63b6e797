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
// Of what is kept. 1 had rates of generated rows from a cache, 2 those of the best round.
constexpr int kFormat = 3;
constexpr double kTimeMin_s = 1e-9, kTimeMax_s = 3600;

// Rates are kept as those of a node, so that they are read as strictly.
json::object as_json(const Measured::Round& round) {
  return to_json(NodeFigures{.id = "self", .rates = round});
}

// Of what several rounds say, absent ones left out.
std::optional<double> median(const std::vector<Rates>& rounds,
                             std::optional<double> Rates::* figure) {
  std::vector<double> values;
  for (const Rates& rates : rounds)
    if (rates.*figure) values.push_back(*(rates.*figure));
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
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
  Measured measured;
  fields.maybe_number("read_bandwidth", measured.read_bandwidth, kRateMin, kRateMax);
  const json::array* rounds = fields.need_array("rounds", kRoundsKept);
  const json::value* steps = fields.need("steps_s");
  TRY(fields.finish());
  for (const json::value& round : *rounds)
    measured.rounds.push_back(TRY(node_figures_from_json(round)).rates);
  JsonFields times(*steps, "times of steps");
  for (const auto& [name, time] : kStepTimes)
    times.maybe_number(name, measured.steps.*time, kTimeMin_s, kTimeMax_s);
  TRY(times.finish());
  return std::pair{key, measured};
}

}  // namespace

Measured::Round Measured::products() const {
  std::map<std::string, std::vector<Rates>> by_type;
  for (const Round& round : rounds)
    for (const auto& [type, rates] : round) by_type[type].push_back(rates);
  Round products;
  for (auto& [type, all] : by_type) {
    Rates& rates = products[type];
    rates.prompt = median(all, &Rates::prompt);
    // Without that of few rows a cache had the weights, which makes it no better.
    if (std::ranges::any_of(all, [](const Rates& each) { return each.few.has_value(); }))
      std::erase_if(all, [](const Rates& each) { return !each.few; });
    for (auto figure : {&Rates::generated, &Rates::few, &Rates::streamed})
      rates.*figure = median(all, figure);
  }
  return products;
}

Measured combined(Measured one, const Measured& other) {
  one.read_bandwidth = std::max(one.read_bandwidth, other.read_bandwidth);  // none is the least
  one.rounds.insert(one.rounds.end(), other.rounds.begin(), other.rounds.end());
  if (one.rounds.size() > kRoundsKept)
    one.rounds.erase(one.rounds.begin(), one.rounds.end() - kRoundsKept);
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
  json::array rounds;
  for (const Measured::Round& round : measured.rounds) rounds.push_back(as_json(round));
  json::object kept{{"format", kFormat},
                    {"cpu", key.cpu},
                    {"isa", key.isa},
                    {"version", key.version},
                    {"threads", key.threads},
                    {"rounds", std::move(rounds)},
                    {"steps_s", as_json(measured.steps)}};
  if (measured.read_bandwidth) kept["read_bandwidth"] = *measured.read_bandwidth;
  return keep_text(file, json::serialize(kept));
}

}  // namespace drystone

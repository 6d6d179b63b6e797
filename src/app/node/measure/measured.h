#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "cluster/plan/node_figures.h"

namespace drystone {

// Seconds of steps of small models (step_measure.h), from whose differences the costs of attention,
// steps and layers follow (node_speed.h).
struct StepTimes {
  std::optional<double> few_layers, many_layers;  // a generated row through layers without work
  std::optional<double> prompt_near, prompt_far;  // prompt rows behind nothing, and behind many
  std::optional<double> generated_near, generated_far;
  std::optional<double> one_layer, more_layers;  // prompt rows through layers of common proportions
  bool operator==(const StepTimes&) const = default;
};
inline constexpr std::array<std::pair<const char*, std::optional<double> StepTimes::*>, 8>
    kStepTimes{{{"few_layers", &StepTimes::few_layers},
                {"many_layers", &StepTimes::many_layers},
                {"prompt_near", &StepTimes::prompt_near},
                {"prompt_far", &StepTimes::prompt_far},
                {"generated_near", &StepTimes::generated_near},
                {"generated_far", &StepTimes::generated_far},
                {"one_layer", &StepTimes::one_layer},
                {"more_layers", &StepTimes::more_layers}}};

// What a node has measured of itself, before anything is concluded from it.
struct Measured {
  std::optional<double> read_bandwidth;   // bytes/s
  std::map<std::string, Rates> products;  // multiply-adds/s by type of weights
  StepTimes steps;
  bool operator==(const Measured&) const = default;
};

// Figure by figure what two measurements say together: the better one, since whatever else the
// machine does makes a figure worse and never better. But rates of generated rows, which differ
// with the machine's memory from one minute to the next, are the mean of two that differ by no more
// than that, so that estimates are of usual minutes and not of the best one.
Measured combined(Measured one, const Measured& other);

// What figures depend on: another machine, build or number of threads measures again.
struct MeasuredKey {
  std::string cpu, isa, version;
  int threads = 0;
  bool operator==(const MeasuredKey&) const = default;
};

// From STATE/measured.json; nullopt: none, not readable, of another key, or not plausible
// (node_speed.h).
std::optional<Measured> read_measured(const std::filesystem::path& file, const MeasuredKey& key);
// Errors: io.
Result<void> keep_measured(const std::filesystem::path& file, const MeasuredKey& key,
                           const Measured& measured);

}  // namespace drystone

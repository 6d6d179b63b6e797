#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  // Multiply-adds/s by type of weights, in each of the last rounds.
  using Round = std::map<std::string, Rates>;

  std::optional<double> read_bandwidth;  // bytes/s
  std::vector<Round> rounds;             // the oldest first, at most kRoundsKept
  StepTimes steps;

  // What the rounds say together: the median of each rate, since a machine is faster and slower
  // from one minute to the next, and estimates are to be of usual ones. Of an even number the
  // better one of the two in the middle: what else the machine does makes a rate worse and never
  // better.
  Round products() const;
  bool operator==(const Measured&) const = default;
};
inline constexpr std::size_t kRoundsKept = 9;

// The rounds of both, the later ones being those of `other`; of all else the better.
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

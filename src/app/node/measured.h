#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/plan/node_figures.h"

namespace drystone {

// What a node has measured of its own speed.
struct Measured {
  std::optional<double> read_bandwidth;  // bytes/s
  std::map<std::string, Rates> rates;    // as NodeFigures has them
  std::optional<double> step_fixed_s, layer_fixed_s;
  bool operator==(const Measured&) const = default;
};

// What figures depend on: another machine, build or number of threads measures again.
struct MeasuredKey {
  std::string cpu, isa, version;
  int threads = 0;
  bool operator==(const MeasuredKey&) const = default;
};

// From STATE/measured.json; nullopt: none, not readable, or of another key.
std::optional<Measured> read_measured(const std::filesystem::path& file, const MeasuredKey& key);
// Errors: io.
Result<void> keep_measured(const std::filesystem::path& file, const MeasuredKey& key,
                           const Measured& measured);

}  // namespace drystone

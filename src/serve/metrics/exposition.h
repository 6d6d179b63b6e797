#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/metrics/metric.h"

namespace drystone {

using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// Writes metrics in Prometheus' text format 0.0.4. One call of family() before the samples of each
// name, and names not repeated.
class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view name, const MetricLabels& labels, double value);
  void sample(std::string_view name, const MetricLabels& labels, std::uint64_t value);
  void samples(std::string_view name, const MetricLabels& labels, const Histogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name, const MetricLabels& labels);
  std::string text_;
};

}  // namespace drystone

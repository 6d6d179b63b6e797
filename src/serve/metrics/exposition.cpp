#include "serve/metrics/exposition.h"

#include <fmt/format.h>

#include <cmath>

namespace drystone {

namespace {

// Label values escape quotes, help texts do not.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
}

void Exposition::begin(std::string_view name, const MetricLabels& labels) {
  text_ += name;
  if (labels.empty()) return;
  char before = '{';
  for (const auto& [label, value] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, label, escaped(value, true));
    before = ',';
  }
  text_ += '}';
}

void Exposition::sample(std::string_view name, const MetricLabels& labels, double value) {
  begin(name, labels);
  text_ += ' ' + number(value) + '\n';
}

void Exposition::sample(std::string_view name, const MetricLabels& labels, std::uint64_t value) {
  begin(name, labels);
  text_ += fmt::format(" {}\n", value);
}

void Exposition::samples(std::string_view name, const MetricLabels& labels,
                         const Histogram& histogram) {
  const Histogram::Snapshot now = histogram.snapshot();
  const std::string bucket = std::string(name) + "_bucket";
  MetricLabels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (std::size_t i = 0; i < now.at_most.size(); ++i) {
    with_bound.back().second = number(histogram.bounds()[i]);
    sample(bucket, with_bound, now.at_most[i]);
  }
  with_bound.back().second = "+Inf";
  sample(bucket, with_bound, now.count);
  sample(std::string(name) + "_sum", labels, now.sum);
  sample(std::string(name) + "_count", labels, now.count);
}

}  // namespace drystone

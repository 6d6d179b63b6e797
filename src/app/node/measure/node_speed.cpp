#include "app/node/measure/node_speed.h"

#include <algorithm>

#include "app/node/measure/sample_steps.h"

namespace drystone {
namespace {

using namespace sample_steps;

// Of a layer's time that may be neither products nor attention. Measured: 0.1 to 0.4.
constexpr double kExtraShareMax = 0.9;

std::optional<double> less(const std::optional<double>& from, const std::optional<double>& taken) {
  if (!from || !taken || *from <= *taken) return std::nullopt;
  return *from - *taken;
}

Rates attention_rates(const StepTimes& steps) {
  Rates rates;
  if (const auto time = less(steps.prompt_far, steps.prompt_near))
    rates.prompt = kAttentionOps * kRows * (kContext - kRows) / *time;
  if (const auto time = less(steps.generated_far, steps.generated_near))
    rates.generated = kAttentionOps * (kContext - 1) / *time;
  return rates;
}

struct LayerTime {
  double all_s = 0, extra_s = 0;
};

// Of kRows prompt rows through a layer of the common proportions.
std::optional<LayerTime> layer_time(const Measured& measured) {
  const Measured::Round products = measured.products();
  const auto product = products.find(std::string(to_string(kType)));
  const auto attention = attention_rates(measured.steps).prompt;
  const auto layers_s = less(measured.steps.more_layers, measured.steps.one_layer);
  if (product == products.end() || !product->second.prompt || !attention || !layers_s)
    return std::nullopt;
  const double all_s = *layers_s / (kMore - 1);
  constexpr double kSeen = kRows / 2.0;
  const double known_s =
      kRows * (kWeights / *product->second.prompt + kAttentionOps * kSeen / *attention);
  return LayerTime{.all_s = all_s, .extra_s = std::max(0.0, all_s - known_s)};
}

// Lets rates contain what a layer does besides, for models of a common width.
void include_extra(const LayerTime& layer, std::map<std::string, Rates>& products) {
  constexpr double kCommonWidth = 2048, kCommonWeights = 44e6;  // of a layer of llama-1b
  const double row_s = layer.extra_s / kRows / kWidth * kCommonWidth;
  const auto slower = [&](std::optional<double>& rate) {
    if (rate) rate = kCommonWeights / (kCommonWeights / *rate + row_s);
  };
  for (auto& [type, rates] : products) {
    slower(rates.prompt);
    slower(rates.generated);
    slower(rates.few);
    slower(rates.streamed);
  }
}

}  // namespace

void set_speed(NodeFigures& figures, const Measured& measured) {
  const StepTimes& steps = measured.steps;
  figures.read_bandwidth = measured.read_bandwidth;
  figures.rates = measured.products();
  // Better none than one that makes everything else false.
  if (const auto layer = layer_time(measured); layer && is_plausible(measured))
    include_extra(*layer, figures.rates);
  if (const Rates attention = attention_rates(steps); attention.prompt || attention.generated)
    figures.rates[kAttentionRate] = attention;
  figures.layer_fixed_s = figures.step_fixed_s = std::nullopt;
  if (!steps.few_layers || !steps.many_layers) return;
  figures.layer_fixed_s = std::max(0.0, (*steps.many_layers - *steps.few_layers) / (kMany - kFew));
  figures.step_fixed_s = std::max(0.0, *steps.few_layers - kFew * *figures.layer_fixed_s);
}

bool is_plausible(const Measured& measured) {
  const auto layer = layer_time(measured);
  return !layer || layer->extra_s <= kExtraShareMax * layer->all_s;
}

}  // namespace drystone

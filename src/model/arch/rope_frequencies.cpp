#include "model/arch/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace drystone {
namespace {

using Kind = ModelConfig::RopeScaling::Kind;

// The pair index whose wave length fits `turns` times into the original context.
double yarn_boundary(const ModelConfig& config, double turns) {
  const double context = config.rope_scaling.original_context;
  return config.rope_dims * std::log(context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(config.rope_base));
}

}  // namespace

std::vector<float> plain_frequencies(std::uint32_t dims, float base) {
  std::vector<float> frequencies(dims / 2);
  for (std::uint32_t i = 0; i < dims / 2; ++i)
    frequencies[i] = static_cast<float>(std::pow(static_cast<double>(base), -2.0 * i / dims));
  return frequencies;
}

std::vector<float> scaled_frequencies(const ModelConfig& config, std::span<const float> factors) {
  const auto& scaling = config.rope_scaling;
  const double interpolation = scaling.kind == Kind::none ? 1 : 1.0 / scaling.factor;
  const bool yarn = scaling.kind == Kind::yarn;
  const double low =
      yarn ? std::max(0.0, std::floor(yarn_boundary(config, scaling.yarn_beta_fast))) : 0;
  const double high = yarn ? std::min(config.rope_dims - 1.0,
                                      std::ceil(yarn_boundary(config, scaling.yarn_beta_slow)))
                           : 0;

  std::vector<float> frequencies(config.rope_dims / 2);
  for (std::uint32_t i = 0; i < frequencies.size(); ++i) {
    double frequency = std::pow(static_cast<double>(config.rope_base), -2.0 * i / config.rope_dims);
    if (!factors.empty()) frequency /= factors[i];
    double kept = 0;  // the part of the frequency that is not interpolated
    if (yarn)
      kept = (1 - std::clamp((i - low) / std::max(0.001, high - low), 0.0, 1.0)) *
             scaling.yarn_ext_factor;
    frequencies[i] = static_cast<float>(frequency * interpolation * (1 - kept) + frequency * kept);
  }
  return frequencies;
}

float rope_magnitude(const ModelConfig::RopeScaling& scaling) {
  const bool yarn =
      scaling.kind == Kind::yarn && scaling.yarn_ext_factor != 0 && scaling.factor > 1;
  return scaling.attn_factor * (yarn ? 1 + 0.1f * std::log(scaling.factor) : 1.0f);
}

}  // namespace drystone

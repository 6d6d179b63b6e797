#include "model/synth/random_weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "base/rng.h"

namespace drystone {
namespace {

std::uint64_t hash_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ seed * 0x9e3779b97f4a7c15u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

RandomWeights::RandomWeights(const ModelConfig& config, std::uint64_t seed,
                             std::vector<std::uint32_t> quiet_tokens)
    : tied_(config.tied_output),
      embedding_scale_(config.embedding_scale),
      residual_(2 / std::sqrt(static_cast<float>(config.layers))),
      seed_(seed),
      quiet_tokens_(std::move(quiet_tokens)) {}

float RandomWeights::deviation(const TensorSpec& spec) const {
  const float keeping = 1 / std::sqrt(static_cast<float>(spec.cols));
  switch (spec.role) {
    // A tied embedding would find itself in its own logits; kept small, the layers' part of the
    // stream prevails.
    case TensorRole::embedding:
      return tied_ ? keeping : 1 / embedding_scale_;
    case TensorRole::output:
    case TensorRole::classifier:
      return 2 * keeping;
    case TensorRole::norm:  // around 1
    case TensorRole::bias:
      return 0.1f;
    case TensorRole::attention_output:
    case TensorRole::mlp_down:
      return residual_ * keeping;
    default:
      return keeping;
  }
}

float RandomWeights::mean(const TensorSpec& spec) const {
  if (spec.role != TensorRole::norm) return 0;
  // Norms behind attention and MLP set what a layer adds to the stream; see deviation() on tied
  // embeddings.
  return tied_ && spec.name.find(".post_") != std::string::npos ? 4 : 1;
}

bool RandomWeights::quiet(const TensorSpec& spec, std::uint64_t row) const {
  const bool head =
      spec.role == TensorRole::output || (spec.role == TensorRole::embedding && tied_);
  return head && std::ranges::find(quiet_tokens_, row) != quiet_tokens_.end();
}

void RandomWeights::make_row(const TensorSpec& spec, std::uint64_t file_row, float* out) const {
  Rng rng(hash_of(spec.name, seed_) + file_row);
  const float deviation = this->deviation(spec) * (quiet(spec, file_row) ? 1.0f / 64 : 1.0f);
  const float mean = this->mean(spec);
  for (std::uint32_t i = 0; i < spec.cols; ++i) out[i] = mean + deviation * rng.normal();
}

std::vector<float> llama31_rope_factors(const ModelConfig& config) {
  constexpr double kFactor = 8, kLowTurns = 1, kHighTurns = 4;
  const double context = config.rope_scaling.original_context;
  std::vector<float> factors(config.rope_dims / 2);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double wave = 2 * std::numbers::pi *
                        std::pow(config.rope_base, 2.0 * static_cast<double>(i) / config.rope_dims);
    const double turns = context / wave;
    const double kept = std::clamp((turns - kLowTurns) / (kHighTurns - kLowTurns), 0.0, 1.0);
    factors[i] = static_cast<float>(1 / (kept + (1 - kept) / kFactor));
  }
  return factors;
}

std::vector<float> longrope_factors(const ModelConfig& config, float longest) {
  std::vector<float> factors(config.rope_dims / 2);
  const float last = static_cast<float>(factors.size() - 1);
  for (std::size_t i = 0; i < factors.size(); ++i)
    factors[i] = 1 + (longest - 1) * (last > 0 ? static_cast<float>(i) / last : 0.0f);
  return factors;
}

}  // namespace drystone

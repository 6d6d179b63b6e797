// What a family fixes, and the range of every figure: later code multiplies them without fear of
// overflow.
#include <fmt/format.h>

#include <cmath>

#include "model/arch/family.h"

namespace drystone {
namespace {

constexpr std::uint32_t kLayersMax = 1024;
constexpr std::uint32_t kWidthMax = 1u << 18;  // d_model, heads * head_dim
constexpr std::uint32_t kFfWidthMax = 1u << 20;
constexpr std::uint32_t kHeadDimMax = 1024;
constexpr std::uint32_t kVocabMax = 1u << 22;
constexpr std::uint32_t kContextMax = 1u << 28;

Result<void> check_range(const ModelConfig& config, std::string_view name, std::uint64_t value,
                         std::uint64_t max) {
  if (value >= 1 && value <= max) return {};
  return Error(Errc::corrupt,
               fmt::format("{} is {}: expected 1 to {}", config_key(config, name), value, max));
}

Result<void> check_real(const ModelConfig& config, std::string_view name, float value, float min,
                        float max) {
  if (value >= min && value <= max) return {};  // false for a NaN
  return Error(Errc::corrupt, fmt::format("{} is {}: expected {} to {}", config_key(config, name),
                                          value, min, max));
}

Result<void> check_shape(const ModelConfig& config) {
  TRY(check_range(config, "block_count", config.layers, kLayersMax));
  TRY(check_range(config, "context_length", config.context, kContextMax));
  TRY(check_range(config, "embedding_length", config.d_model, kWidthMax));
  TRY(check_range(config, "feed_forward_length", config.ff_width, kFfWidthMax));
  TRY(check_range(config, "attention.head_count", config.heads, kWidthMax));
  TRY(check_range(config, "attention.head_count_kv", config.kv_heads, config.heads));
  TRY(check_range(config, "attention.key_length", config.head_dim, kHeadDimMax));
  TRY(check_range(config, "vocab_size", config.vocab, kVocabMax));
  TRY(check_range(config, "rope.dimension_count", config.rope_dims, config.head_dim));
  if (config.heads % config.kv_heads != 0)
    return Error(Errc::corrupt, fmt::format("{} is {}: not a multiple of the {} KV heads",
                                            config_key(config, "attention.head_count"),
                                            config.heads, config.kv_heads));
  if (std::uint64_t{config.heads} * config.head_dim > kWidthMax)
    return Error(
        Errc::corrupt,
        fmt::format("{} heads of {} values are {}: expected at most {}", config.heads,
                    config.head_dim, std::uint64_t{config.heads} * config.head_dim, kWidthMax));
  if (config.rope_dims % 2 != 0)
    return Error(Errc::corrupt,
                 fmt::format("{} is {}: expected an even number",
                             config_key(config, "rope.dimension_count"), config.rope_dims));
  if (config.window != 0)
    TRY(check_range(config, "attention.sliding_window", config.window, kContextMax));
  return {};
}

Result<void> check_reals(const ModelConfig& config) {
  const auto& scaling = config.rope_scaling;
  TRY(check_real(config, "attention.layer_norm_rms_epsilon", config.norm_eps, 0, 1));
  TRY(check_real(config, "rope.freq_base", config.rope_base, 1.0001f, 1e12f));
  TRY(check_real(config, "rope.freq_base_swa", config.rope_base_window, 1.0001f, 1e12f));
  TRY(check_real(config, "rope.scaling.factor", scaling.factor, 1e-3f, 1e6f));
  TRY(check_real(config, "rope.scaling.attn_factor", scaling.attn_factor, 1e-3f, 1e3f));
  TRY(check_real(config, "rope.scaling.yarn_ext_factor", scaling.yarn_ext_factor, 0, 1));
  TRY(check_real(config, "rope.scaling.yarn_beta_fast", scaling.yarn_beta_fast, 1e-3f, 1e6f));
  TRY(check_real(config, "rope.scaling.yarn_beta_slow", scaling.yarn_beta_slow, 1e-3f, 1e6f));
  TRY(check_real(config, "attention.scale", config.attention_scale.value_or(1), 1e-6f, 1e6f));
  TRY(check_real(config, "final_logit_softcapping", config.logit_softcap, 0, 1e6f));
  return check_range(config, "rope.scaling.original_context_length", scaling.original_context,
                     kContextMax);
}

}  // namespace

Result<ModelConfig> complete_config(ModelConfig config) {
  const Family* family = find_family(config.architecture);
  if (family == nullptr)
    return Error(Errc::unsupported, fmt::format("architecture '{}' is not supported. Supported: {}",
                                                config.architecture, supported_architectures()));
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.head_dim == 0 && config.heads != 0) config.head_dim = config.d_model / config.heads;
  if (config.rope_dims == 0) config.rope_dims = config.head_dim;
  if (config.rope_scaling.original_context == 0)
    config.rope_scaling.original_context = config.context;
  TRY(check_shape(config));
  if (family->complete != nullptr) family->complete(config);
  TRY(check_reals(config));
  return config;
}

}  // namespace drystone

// Gemma 3 (text): norms before and after attention and MLP, GeGLU, normalised heads. Most layers
// see a sliding window and rotate with a base of their own; every window_period-th sees everything
// and rotates with the scaled long base.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/arch/family.h"

namespace drystone {
namespace {

constexpr std::uint32_t kDefaultPeriod = 6;
constexpr std::uint32_t kLayersOf27B =
    62;  // its queries are scaled by the width per head, not by the head size

Result<void> read(const Metadata& metadata, ModelConfig& config) {
  const std::string pattern = config_key(config, "attention.sliding_window_pattern");
  config.window = TRY(metadata.u32(config_key(config, "attention.sliding_window"))).value_or(0);
  if (const auto* windowed = metadata.booleans(pattern)) {
    const auto first_full = std::find(windowed->begin(), windowed->end(), false);
    config.window_period = static_cast<std::uint32_t>(first_full - windowed->begin()) + 1;
    for (std::size_t i = 0; i < windowed->size(); ++i)
      if ((*windowed)[i] != ((i + 1) % config.window_period != 0))
        return Error(Errc::unsupported, fmt::format("{} is not periodic at layer {}: only 'every "
                                                    "n-th layer sees everything' is supported",
                                                    pattern, i));
  } else {
    config.window_period = TRY(metadata.u32(pattern)).value_or(kDefaultPeriod);
  }
  config.rope_base_window =
      TRY(metadata.f32(config_key(config, "rope.freq_base_swa"))).value_or(10000);
  config.logit_softcap =
      TRY(metadata.f32(config_key(config, "final_logit_softcapping"))).value_or(0);
  return {};
}

void write(const ModelConfig& config, Metadata& metadata) {
  if (config.window != 0) {
    metadata.set(config_key(config, "attention.sliding_window"), std::int64_t{config.window});
    metadata.set(config_key(config, "attention.sliding_window_pattern"),
                 std::int64_t{config.window_period});
    metadata.set(config_key(config, "rope.freq_base_swa"), double{config.rope_base_window});
  }
  if (config.logit_softcap != 0)
    metadata.set(config_key(config, "final_logit_softcapping"), double{config.logit_softcap});
}

void complete(ModelConfig& config) {
  if (config.window_period == 0) config.window_period = kDefaultPeriod;
  config.embedding_scale = std::sqrt(static_cast<float>(config.d_model));
  const std::uint32_t scaled_by =
      config.layers == kLayersOf27B ? config.d_model / config.heads : config.head_dim;
  config.attention_scale = 1 / std::sqrt(static_cast<float>(scaled_by));
}

void build_layer(LayerBuilder& layer) {
  const ModelConfig& config = layer.config();
  const bool windowed = config.window != 0 && (layer.layer() + 1) % config.window_period != 0;

  layer.norm("attn_norm", Slot::hidden, Slot::normed);
  layer.qkv();
  layer.head_norms();
  layer.attention(windowed ? layer.plain_rope(/*interleaved=*/false, config.rope_base_window)
                           : layer.rope(/*interleaved=*/false),
                  windowed ? config.window : 0);
  layer.attention_output();
  layer.norm("post_attention_norm", Slot::projected, Slot::projected);
  layer.residual();

  layer.norm("ffn_norm", Slot::hidden, Slot::normed);
  layer.mlp(Activation::gelu_tanh);
  layer.norm("post_ffw_norm", Slot::projected, Slot::projected);
  layer.residual();
}

}  // namespace

extern const Family kGemma3{"gemma3", read, write, complete, build_layer};

}  // namespace drystone

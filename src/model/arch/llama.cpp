// Llama 1 to 3.x, Mistral, and what shares their layer: pre-norm, grouped-query attention, SwiGLU.
#include <fmt/format.h>

#include "model/arch/family.h"

namespace drystone {
namespace {

Result<void> read(const Metadata& metadata, ModelConfig& config) {
  config.attention_scale = TRY(metadata.f32(config_key(config, "attention.scale")));
  if (config.attention_scale == 0.0f) config.attention_scale.reset();
  if (config.rope_dims != 0 && config.rope_dims != config.head_dim)
    return Error(Errc::corrupt, fmt::format("{} is {}, but llama rotates whole heads: expected {}",
                                            config_key(config, "rope.dimension_count"),
                                            config.rope_dims, config.head_dim));
  return {};
}

void write(const ModelConfig& config, Metadata& metadata) {
  if (config.attention_scale)
    metadata.set(config_key(config, "attention.scale"), double{*config.attention_scale});
}

void build_layer(LayerBuilder& layer) {
  layer.pre_norm_attention(layer.rope(/*interleaved=*/true), /*with_head_norms=*/false);
  layer.pre_norm_mlp(Activation::silu);
}

}  // namespace

extern const Family kLlama{"llama", read, write, nullptr, build_layer};

}  // namespace drystone

// Qwen2 and Qwen2.5: llama's layer with biases on q, k, v, and rotation of half-split pairs.
#include "model/arch/family.h"

namespace drystone {
namespace {

void complete(ModelConfig& config) { config.qkv_bias = true; }

void build_layer(LayerBuilder& layer) {
  layer.pre_norm_attention(layer.rope(/*interleaved=*/false), /*with_head_norms=*/false);
  layer.pre_norm_mlp(Activation::silu);
}

}  // namespace

extern const Family kQwen2{"qwen2", nullptr, nullptr, complete, build_layer};

}  // namespace drystone

// Phi-3, Phi-3.5, Phi-4: q, k, v in one tensor, gate and up in one tensor, part of each head
// rotated in newer ones.
#include "model/arch/family.h"

namespace drystone {
namespace {

void complete(ModelConfig& config) { config.fused_qkv = config.fused_gate_up = true; }

void build_layer(LayerBuilder& layer) {
  layer.pre_norm_attention(layer.rope(/*interleaved=*/false), /*with_head_norms=*/false);
  layer.pre_norm_mlp(Activation::silu);
}

}  // namespace

extern const Family kPhi3{"phi3", nullptr, nullptr, complete, build_layer};

}  // namespace drystone

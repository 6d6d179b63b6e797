// Qwen3 (dense): each head of q and k is normalised before it is rotated; head size independent of
// the width.
#include "model/arch/family.h"

namespace drystone {
namespace {

void build_layer(LayerBuilder& layer) {
  layer.pre_norm_attention(layer.rope(/*interleaved=*/false), /*with_head_norms=*/true);
  layer.pre_norm_mlp(Activation::silu);
}

}  // namespace

extern const Family kQwen3{"qwen3", nullptr, nullptr, nullptr, build_layer};

}  // namespace drystone

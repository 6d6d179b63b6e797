// Qwen3 (dense): each head of q and k is normalised before it is rotated; head size independent of
// the width. Its rerankers have a head that tells classes apart, "yes" and "no", at the last token.
#include <fmt/format.h>

#include "model/arch/family.h"

namespace drystone {
namespace {

constexpr std::string_view kClassesKey = "classifier.output_labels";
constexpr std::size_t kClassesMax = 1024;

Result<void> read(const Metadata& metadata, ModelConfig& config) {
  const std::string key = config_key(config, kClassesKey);
  const auto* classes = metadata.strings(key);
  if (config.pooling != PoolingType::rank || classes == nullptr) return {};
  if (classes->size() < 2 || classes->size() > kClassesMax)
    return Error(Errc::unsupported, fmt::format("{} names {} classes: expected 2 to {}", key,
                                                classes->size(), kClassesMax));
  config.classes = *classes;
  return {};
}

void write(const ModelConfig& config, Metadata& metadata) {
  if (!config.classes.empty())
    metadata.set(config_key(config, kClassesKey), MetadataArray(config.classes));
}

void build_layer(LayerBuilder& layer) {
  layer.pre_norm_attention(layer.rope(/*interleaved=*/false), /*with_head_norms=*/true);
  layer.pre_norm_mlp(Activation::silu);
}

}  // namespace

extern const Family kQwen3{"qwen3", read, write, nullptr, build_layer};

}  // namespace drystone

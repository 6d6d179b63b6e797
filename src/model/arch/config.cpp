// ModelConfig from the metadata of a file.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "model/arch/family.h"

namespace drystone {
namespace {

using Scaling = ModelConfig::RopeScaling;

// A figure that files give for all layers or, as an array, for each. Only one figure for all layers
// is supported.
Result<std::optional<std::uint32_t>> uniform_u32(const Metadata& metadata, const std::string& key,
                                                 std::uint32_t layers) {
  const auto* per_layer = metadata.integers(key);
  if (per_layer == nullptr) return metadata.u32(key);
  if (per_layer->size() < layers || per_layer->empty())
    return Error(Errc::corrupt,
                 fmt::format("{} has {} values for {} layers", key, per_layer->size(), layers));
  for (std::size_t i = 1; i < per_layer->size(); ++i)
    if ((*per_layer)[i] != (*per_layer)[0])
      return Error(
          Errc::unsupported,
          fmt::format(
              "{} differs between layers ({} in layer 0, {} in layer {}): only models whose layers "
              "are alike are supported",
              key, (*per_layer)[0], (*per_layer)[i], i));
  const std::int64_t value = (*per_layer)[0];
  if (value < 0 || value > UINT32_MAX)
    return Error(Errc::corrupt, fmt::format("{} is {}: expected a 32-bit count", key, value));
  return std::optional(static_cast<std::uint32_t>(value));
}

Result<Scaling> read_rope_scaling(const Metadata& metadata, const ModelConfig& config) {
  const auto key = [&](std::string_view name) { return config_key(config, name); };
  Scaling scaling;
  scaling.factor = TRY(metadata.f32(key("rope.scaling.factor"))).value_or(0);
  if (scaling.factor == 0) scaling.factor = TRY(metadata.f32(key("rope.scale_linear"))).value_or(0);
  if (scaling.factor == 0) scaling.factor = 1;
  const std::string kind = TRY(metadata.string(key("rope.scaling.type")))
                               .value_or(scaling.factor == 1 ? "none" : "linear");
  if (kind == "none")
    scaling.kind = Scaling::Kind::none;
  else if (kind == "linear")
    scaling.kind = Scaling::Kind::linear;
  else if (kind == "yarn")
    scaling.kind = Scaling::Kind::yarn;
  else if (kind == "longrope")
    scaling.kind = Scaling::Kind::longrope;
  else
    return Error(Errc::unsupported,
                 fmt::format("{} '{}' is not supported: none, linear, yarn and longrope are",
                             key("rope.scaling.type"), kind));
  scaling.attn_factor = TRY(metadata.f32(key("rope.scaling.attn_factor"))).value_or(1);
  scaling.attn_factor *= TRY(metadata.f32(key("rope.scaling.yarn_attn_factor"))).value_or(1);
  scaling.original_context =
      TRY(metadata.u32(key("rope.scaling.original_context_length"))).value_or(config.context);
  scaling.yarn_ext_factor = TRY(metadata.f32(key("rope.scaling.yarn_ext_factor"))).value_or(1);
  scaling.yarn_beta_fast = TRY(metadata.f32(key("rope.scaling.yarn_beta_fast"))).value_or(32);
  scaling.yarn_beta_slow = TRY(metadata.f32(key("rope.scaling.yarn_beta_slow"))).value_or(1);
  return scaling;
}

// Features that would change results if they were ignored.
Result<void> refuse_features(const Metadata& metadata, const ModelConfig& config) {
  for (const std::string_view name :
       {"expert_count", "expert_used_count", "rope.scaling.yarn_log_multiplier",
        "attention.temperature_scale", "nextn_predict_layers", "attention.kv_lora_rank",
        "full_attention_interval", "ssm.inner_size"}) {
    const std::string key = config_key(config, name);
    const auto value = TRY(metadata.f32(key));
    if (value && *value != 0)
      return Error(Errc::unsupported,
                   fmt::format("{} is {}: not supported. Supported are the dense models of {}", key,
                               *value, supported_architectures()));
  }
  if (!TRY(metadata.boolean(config_key(config, "attention.causal"))).value_or(true))
    return Error(Errc::unsupported,
                 config_key(config, "attention.causal") +
                     " is false: only decoders, whose attention is causal, are supported");
  return {};
}

Result<void> read_shape(const GgufFile& file, ModelConfig& config) {
  const Metadata& metadata = file.metadata();
  const auto key = [&](std::string_view name) { return config_key(config, name); };
  const auto uniform = [&](std::string_view name) {
    return uniform_u32(metadata, key(name), config.layers);
  };
  const auto required = [&](std::string_view name) -> Result<std::uint32_t> {
    if (const auto value = TRY(uniform(name))) return *value;
    return Error(Errc::not_found, fmt::format("{} is missing", key(name)));
  };

  config.layers = TRY(metadata.required_u32(key("block_count")));
  config.context = TRY(metadata.required_u32(key("context_length")));
  config.d_model = TRY(metadata.required_u32(key("embedding_length")));
  config.ff_width = TRY(required("feed_forward_length"));
  config.heads = TRY(required("attention.head_count"));
  config.kv_heads = TRY(uniform("attention.head_count_kv")).value_or(config.heads);
  if (config.heads == 0) return Error(Errc::corrupt, key("attention.head_count") + " is 0");
  config.head_dim =
      TRY(metadata.u32(key("attention.key_length"))).value_or(config.d_model / config.heads);
  const std::uint32_t value_length =
      TRY(metadata.u32(key("attention.value_length"))).value_or(config.d_model / config.heads);
  if (value_length != config.head_dim)
    return Error(Errc::unsupported,
                 fmt::format("{} is {} and the keys' is {}: only equal lengths are supported",
                             key("attention.value_length"), value_length, config.head_dim));
  config.norm_eps = TRY(metadata.required_f32(key("attention.layer_norm_rms_epsilon")));
  config.rope_dims = TRY(metadata.u32(key("rope.dimension_count"))).value_or(config.head_dim);
  config.rope_base = TRY(metadata.f32(key("rope.freq_base"))).value_or(10000);
  config.rope_scaling = TRY(read_rope_scaling(metadata, config));
  return {};
}

// What the presence of tensors says.
Result<void> read_tensors(const GgufFile& file, ModelConfig& config) {
  const auto has = [&](std::string_view name) { return file.find(name) != nullptr; };
  const GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr)
    return Error(
        Errc::not_found,
        fmt::format("{} has no tensor token_embd.weight: is it a vocabulary only?", file.name()));
  if (embedding->dims[1] > UINT32_MAX)
    return Error(Errc::corrupt, fmt::format("token_embd.weight has {} rows", embedding->dims[1]));
  config.vocab = static_cast<std::uint32_t>(embedding->dims[1]);
  config.tied_output = !has("output.weight");
  config.fused_qkv = has("blk.0.attn_qkv.weight");
  config.fused_gate_up = has("blk.0.ffn_up.weight") && !has("blk.0.ffn_gate.weight");
  config.qkv_bias = has(config.fused_qkv ? "blk.0.attn_qkv.bias" : "blk.0.attn_q.bias");
  config.attention_output_bias = has("blk.0.attn_output.bias");
  config.mlp_bias = has("blk.0.ffn_down.bias");

  const auto* tokens = file.metadata().strings("tokenizer.ggml.tokens");
  std::optional<std::uint64_t> declared =
      TRY(file.metadata().u32(config_key(config, "vocab_size")));
  if (tokens != nullptr) declared = tokens->size();
  if (declared && *declared != config.vocab)
    return Error(Errc::corrupt,
                 fmt::format("token_embd.weight has {} rows, but the vocabulary has {} tokens",
                             config.vocab, *declared));
  return {};
}

Result<void> read_pooling(const Metadata& metadata, ModelConfig& config) {
  const std::string key = config_key(config, "pooling_type");
  const auto type = TRY(metadata.u32(key));
  if (!type) return {};
  if (*type > static_cast<std::uint32_t>(PoolingType::rank))
    return Error(Errc::unsupported,
                 fmt::format("{} is {}: known are 0 (none), 1 (mean), 2 (cls), 3 (last), 4 (rank)",
                             key, *type));
  config.pooling = static_cast<PoolingType>(*type);
  return {};
}

}  // namespace

Result<ModelConfig> read_config(const GgufFile& file) {
  ModelConfig config;
  config.architecture = TRY(file.metadata().required_string("general.architecture"));
  const Family* family = find_family(config.architecture);
  if (family == nullptr)
    return Error(Errc::unsupported,
                 fmt::format("{}: architecture '{}' is not supported. Supported: {}", file.name(),
                             config.architecture, supported_architectures()));
  TRY(refuse_features(file.metadata(), config));
  TRY(read_shape(file, config));
  TRY(read_tensors(file, config));
  TRY(read_pooling(file.metadata(), config));
  if (family->read != nullptr) TRY(family->read(file.metadata(), config));
  return complete_config(std::move(config));
}

void write_config(const ModelConfig& given, Metadata& metadata) {
  auto completed = complete_config(given);
  CHECK(completed.has_value(), completed.error().message());
  const ModelConfig& config = *completed;
  const auto integer = [&](std::string_view name, std::int64_t value) {
    metadata.set(config_key(config, name), value);
  };
  const auto real = [&](std::string_view name, double value) {
    metadata.set(config_key(config, name), value);
  };

  metadata.set("general.architecture", config.architecture);
  integer("block_count", config.layers);
  integer("context_length", config.context);
  integer("embedding_length", config.d_model);
  integer("feed_forward_length", config.ff_width);
  integer("attention.head_count", config.heads);
  integer("attention.head_count_kv", config.kv_heads);
  integer("attention.key_length", config.head_dim);
  integer("attention.value_length", config.head_dim);
  integer("vocab_size", config.vocab);
  integer("rope.dimension_count", config.rope_dims);
  real("attention.layer_norm_rms_epsilon", config.norm_eps);
  real("rope.freq_base", config.rope_base);

  const Scaling& scaling = config.rope_scaling;
  if (scaling.kind != Scaling::Kind::none) {
    constexpr const char* kNames[] = {"none", "linear", "yarn", "longrope"};
    metadata.set(config_key(config, "rope.scaling.type"),
                 std::string(kNames[static_cast<int>(scaling.kind)]));
    real("rope.scaling.factor", scaling.factor);
    integer("rope.scaling.original_context_length", scaling.original_context);
    if (scaling.attn_factor != 1) real("rope.scaling.attn_factor", scaling.attn_factor);
  }
  if (scaling.kind == Scaling::Kind::yarn) {
    real("rope.scaling.yarn_ext_factor", scaling.yarn_ext_factor);
    real("rope.scaling.yarn_beta_fast", scaling.yarn_beta_fast);
    real("rope.scaling.yarn_beta_slow", scaling.yarn_beta_slow);
  }
  if (config.pooling) integer("pooling_type", static_cast<std::int64_t>(*config.pooling));
  const Family* family = find_family(config.architecture);
  if (family->write != nullptr) family->write(config, metadata);
}

}  // namespace drystone

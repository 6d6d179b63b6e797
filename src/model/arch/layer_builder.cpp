#include "model/arch/layer_builder.h"

#include <fmt/format.h>

#include <cmath>

#include "model/arch/rope_frequencies.h"

namespace drystone {

LayerBuilder::LayerBuilder(const ModelConfig& config, Program& program, int layer)
    : config_(config), program_(program), ops_(program.layers[layer].ops), layer_(layer) {}

TensorId LayerBuilder::add(std::string_view name, std::string_view suffix, TensorSpec spec) {
  spec.name = fmt::format("blk.{}.{}.{}", layer_, name, suffix);
  spec.layer = layer_;
  program_.tensors.push_back(std::move(spec));
  return static_cast<TensorId>(program_.tensors.size() - 1);
}

TensorId LayerBuilder::matrix(std::string_view name, TensorRole role, TensorCut cut,
                              std::uint32_t rows, std::uint32_t cols) {
  return add(name, "weight",
             {.role = role, .cut = cut, .rows = rows, .cols = cols, .file_rows = rows});
}

TensorId LayerBuilder::vector(std::string_view name, TensorRole role, TensorCut cut,
                              std::uint32_t size) {
  return add(name, role == TensorRole::bias ? "bias" : "weight",
             {.role = role, .cut = cut, .rows = 1, .cols = size, .file_rows = 1});
}

void LayerBuilder::norm(std::string_view name, Slot in, Slot out) {
  push(NormOp{in, out, vector(name, TensorRole::norm, TensorCut::none, config_.d_model),
              config_.norm_eps});
}

void LayerBuilder::separate_linear(Slot in, std::uint32_t cols, std::span<const Output> outputs,
                                   bool bias) {
  LinearOp op{.in = in};
  for (const Output& output : outputs) {
    LinearPart part{.weight = matrix(output.name, output.role, TensorCut::rows, output.rows, cols),
                    .out = output.out};
    if (bias) part.bias = vector(output.name, TensorRole::bias, TensorCut::rows, output.rows);
    op.parts.push_back(part);
  }
  push(std::move(op));
}

void LayerBuilder::fused_linear(std::string_view name, Slot in, std::uint32_t cols,
                                std::span<const Output> outputs, bool bias) {
  std::uint32_t file_rows = 0, first_row = 0;
  for (const Output& output : outputs) file_rows += output.rows;
  LinearOp op{.in = in};
  for (const Output& output : outputs) {
    TensorSpec spec{.role = output.role,
                    .cut = TensorCut::rows,
                    .rows = output.rows,
                    .cols = cols,
                    .first_row = first_row,
                    .file_rows = file_rows};
    LinearPart part{.weight = add(name, "weight", spec), .out = output.out};
    if (bias) {
      spec.role = TensorRole::bias;
      spec.cols = 1;
      part.bias = add(name, "bias", spec);
    }
    op.parts.push_back(part);
    first_row += output.rows;
  }
  push(std::move(op));
}

void LayerBuilder::qkv() {
  const std::uint32_t q_rows = config_.heads * config_.head_dim,
                      kv_rows = config_.kv_heads * config_.head_dim;
  const Output outputs[] = {{"attn_q", TensorRole::attention_q, q_rows, Slot::q},
                            {"attn_k", TensorRole::attention_k, kv_rows, Slot::k},
                            {"attn_v", TensorRole::attention_v, kv_rows, Slot::v}};
  if (config_.fused_qkv)
    fused_linear("attn_qkv", Slot::normed, config_.d_model, outputs, config_.qkv_bias);
  else
    separate_linear(Slot::normed, config_.d_model, outputs, config_.qkv_bias);
}

void LayerBuilder::head_norms() {
  const auto push_norm = [&](std::string_view name, Slot slot) {
    const TensorId weight = vector(name, TensorRole::norm, TensorCut::none, config_.head_dim);
    push(NormOp{slot, slot, weight, config_.norm_eps, config_.head_dim});
  };
  push_norm("attn_q_norm", Slot::q);
  push_norm("attn_k_norm", Slot::k);
}

void LayerBuilder::attention(const Rope& rope, std::uint32_t window) {
  const auto push_rope = [&](Slot slot, std::uint32_t heads) {
    push(RopeOp{slot, heads, config_.head_dim, rope.interleaved, rope.magnitude, rope.inv_freq});
  };
  push_rope(Slot::q, config_.heads);
  push_rope(Slot::k, config_.kv_heads);
  const float scale =
      config_.attention_scale.value_or(1 / std::sqrt(static_cast<float>(config_.head_dim)));
  push(AttentionOp{config_.heads, config_.kv_heads, config_.head_dim, scale, window,
                   config_.attention_softcap});
}

void LayerBuilder::attention_output() {
  LinearPart part{.weight = matrix("attn_output", TensorRole::attention_output, TensorCut::columns,
                                   config_.d_model, config_.heads * config_.head_dim),
                  .out = Slot::projected};
  if (config_.attention_output_bias)
    part.bias = vector("attn_output", TensorRole::bias, TensorCut::none, config_.d_model);
  push(LinearOp{Slot::attended, {part}, /*reduce=*/true});
}

void LayerBuilder::mlp(Activation activation) {
  const Output gate{"ffn_gate", TensorRole::mlp_gate, config_.ff_width, Slot::gate};
  const Output up{"ffn_up", TensorRole::mlp_up, config_.ff_width, Slot::up};
  const Output outputs[] = {gate, up};
  if (config_.fused_gate_up)
    fused_linear("ffn_up", Slot::normed, config_.d_model, outputs, config_.mlp_bias);
  else
    separate_linear(Slot::normed, config_.d_model, outputs, config_.mlp_bias);
  push(GatedOp{activation});
  LinearPart down{.weight = matrix("ffn_down", TensorRole::mlp_down, TensorCut::columns,
                                   config_.d_model, config_.ff_width),
                  .out = Slot::projected};
  if (config_.mlp_bias)
    down.bias = vector("ffn_down", TensorRole::bias, TensorCut::none, config_.d_model);
  push(LinearOp{Slot::activated, {down}, /*reduce=*/true});
}

void LayerBuilder::residual() { push(ResidualOp{Slot::projected}); }

void LayerBuilder::pre_norm_attention(const Rope& rope, bool with_head_norms) {
  norm("attn_norm", Slot::hidden, Slot::normed);
  qkv();
  if (with_head_norms) head_norms();
  attention(rope, /*window=*/0);
  attention_output();
  residual();
}

void LayerBuilder::pre_norm_mlp(Activation activation) {
  norm("ffn_norm", Slot::hidden, Slot::normed);
  mlp(activation);
  residual();
}

LayerBuilder::Rope LayerBuilder::rope(bool interleaved) const {
  const auto& scaling = config_.rope_scaling;
  Rope rope{.interleaved = interleaved,
            .inv_freq = scaled_frequencies(config_),
            .magnitude = rope_magnitude(scaling)};
  if (rope_factors_ != nullptr) rope.inv_freq = scaled_frequencies(config_, *rope_factors_);
  return rope;
}

LayerBuilder::Rope LayerBuilder::plain_rope(bool interleaved, float base) const {
  return {.interleaved = interleaved, .inv_freq = plain_frequencies(config_.rope_dims, base)};
}

}  // namespace drystone

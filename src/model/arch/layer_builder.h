#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/program.h"
#include "model/arch/architecture.h"

namespace drystone {

// The blocks that families are made of. A family calls them in the order of its layer; each appends
// operations to the layer and declares the tensors that they use.
class LayerBuilder {
 public:
  struct Rope {
    bool interleaved = false;
    std::vector<float> inv_freq;
    float magnitude = 1;
  };

  LayerBuilder(const ModelConfig& config, Program& program, int layer);

  const ModelConfig& config() const { return config_; }
  int layer() const { return layer_; }

  // out = rms_norm(in) * blk.N.<name>.weight
  void norm(std::string_view name, Slot in, Slot out);
  // q, k, v = normed * attn_q/k/v (or the rows of attn_qkv), with biases where the config has them.
  void qkv();
  // RMS norm of each head of q and of k with attn_q_norm and attn_k_norm.
  void head_norms();
  // Rotates q and k, appends k and v to the cache, attended = attention.
  void attention(const Rope& rope, std::uint32_t window);
  // projected = attended * attn_output.
  void attention_output();
  // projected = down(activation(gate(normed)) * up(normed)).
  void mlp(Activation activation);
  // hidden += projected.
  void residual();

  // h = x + attention(norm(x)); y = h + mlp(norm(h)): the layer of most families.
  void pre_norm_attention(const Rope& rope, bool with_head_norms);
  void pre_norm_mlp(Activation activation);

  // Rotation of this layer: `base` and scaling of the config, divided by the factors of the file's
  // rope tensors.
  Rope rope(bool interleaved) const;
  // The same with another base and neither scaling nor factors.
  Rope plain_rope(bool interleaved, float base) const;

 private:
  friend Result<Program> build_program(const ModelConfig&, const RopeTensors&, std::uint32_t);
  struct Output {
    std::string_view name;
    TensorRole role;
    std::uint32_t rows;
    Slot out;
  };
  TensorId matrix(std::string_view name, TensorRole role, TensorCut cut, std::uint32_t rows,
                  std::uint32_t cols);
  TensorId vector(std::string_view name, TensorRole role, TensorCut cut, std::uint32_t size);
  void separate_linear(Slot in, std::uint32_t cols, std::span<const Output> outputs, bool bias);
  void fused_linear(std::string_view name, Slot in, std::uint32_t cols,
                    std::span<const Output> outputs, bool bias);
  TensorId add(std::string_view name, std::string_view suffix, TensorSpec spec);
  void push(Op op) { ops_.push_back(std::move(op)); }

  const ModelConfig& config_;
  Program& program_;
  std::vector<Op>& ops_;
  int layer_;
  const std::vector<float>* rope_factors_ = nullptr;
};

}  // namespace drystone

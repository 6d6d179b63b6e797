#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/units.h"

// A model as a short program: a list of coarse operations per layer over named activation slots,
// with named tensors. model/arch writes it from a file's metadata; devices run it; placement cuts
// it (by layers, or by the `cut` of each tensor); the memory estimate and the synthetic-model
// generator read it. One description for all of them.

namespace drystone {

// How a tensor-parallel shard group may divide a weight [rows = outputs, cols = inputs].
enum class TensorCut {
  none,     // every rank holds it whole (norms, biases of reduced outputs)
  rows,     // outputs are divided: q, k, v, gate, up, the output head
  columns,  // inputs are divided, so the product must be summed over ranks: attention output, down
};

// What a tensor is for; the synthetic generator chooses its statistics and type by it, quantization
// mixtures too.
enum class TensorRole {
  embedding,
  output,
  norm,
  bias,
  attention_q,
  attention_k,
  attention_v,
  attention_output,
  mlp_gate,
  mlp_up,
  mlp_down,
  classifier,
};

using TensorId = std::int32_t;
constexpr TensorId kNoTensor = -1;

// A tensor of the program: rows [first_row, first_row + rows) and columns [first_col, first_col +
// cols) of the file's tensor `name`, which is [file_rows, file_cols]. Fused tensors of a file
// (attn_qkv, gate and up in ffn_up) are several of these, each with its row range; a rank's part of
// a tensor has the ranges of its cut.
struct TensorSpec {
  std::string name;
  TensorRole role;
  TensorCut cut = TensorCut::none;
  std::uint32_t rows = 0;  // a vector is [1, cols]
  std::uint32_t cols = 0;
  std::uint32_t first_row = 0;
  std::uint32_t file_rows = 0;
  int layer = -1;  // -1: outside the layers
  std::uint32_t first_col = 0;
  std::uint32_t file_cols = 0;  // 0: cols
};

inline std::uint32_t file_cols(const TensorSpec& spec) {
  return spec.file_cols != 0 ? spec.file_cols : spec.cols;
}

// Activation buffers of one step, each f32 [tokens, width] row-major.
enum class Slot : std::uint8_t {
  hidden,
  normed,
  q,
  k,
  v,
  attended,
  gate,
  up,
  activated,
  projected
};
constexpr int kSlotCount = 10;

// out = rms_norm(in) * weight. With `group` > 0 each run of `group` values (a head) is normalised
// by itself. In place when in == out.
struct NormOp {
  Slot in, out;
  TensorId weight;
  float eps;
  std::uint32_t group = 0;
};

// One product of a LinearOp: out = in * weight^T (+ bias).
struct LinearPart {
  TensorId weight;
  TensorId bias = kNoTensor;
  Slot out;
};

// One or several products of the same input (q, k, v; gate, up): the input is prepared once.
// `reduce`: with column-cut weights the result is a partial sum, to be reduced over the shard group
// here.
struct LinearOp {
  Slot in;
  std::vector<LinearPart> parts;
  bool reduce = false;
};

// Rotates the first `2 * inv_freq.size()` values of each head. angle(i) = position * inv_freq[i];
// cos and sin are multiplied by `magnitude`. Pairs are (2i, 2i+1) when `interleaved`, else (i, i +
// n_rot/2).
struct RopeOp {
  Slot slot;
  std::uint32_t heads, head_dim;
  bool interleaved;
  float magnitude = 1;
  std::vector<float> inv_freq;
};

// Appends k and v to the cache of this layer, then attended = softmax(q k^T * scale) v, causal,
// grouped-query. window > 0: key j is visible to query i iff i - j < window. softcap > 0: scores
// become softcap * tanh(s / softcap).
struct AttentionOp {
  std::uint32_t heads, kv_heads, head_dim;
  float scale;
  std::uint32_t window = 0;
  float softcap = 0;
};

enum class Activation { silu, gelu_tanh };

// activated = f(gate) * up.
struct GatedOp {
  Activation activation;
};

// hidden += in.
struct ResidualOp {
  Slot in;
};

using Op = std::variant<NormOp, LinearOp, RopeOp, AttentionOp, GatedOp, ResidualOp>;

struct LayerProgram {
  std::vector<Op> ops;
};

struct Program {
  std::string architecture;
  // Of a shard group (compute/shard_program.h); 1 rank: the whole model. The figures below are
  // those of the rank, but for d_model, vocab (the ids of tokens) and context.
  std::uint32_t rank = 0, ranks = 1;
  std::uint32_t d_model = 0, vocab = 0, context = 0;
  std::uint32_t heads_max = 0, kv_heads = 0, head_dim = 0, ff_width = 0;  // largest over the layers

  std::vector<TensorSpec> tensors;

  // hidden = embedding row of each token * embedding_scale.
  TensorId embedding = kNoTensor;
  float embedding_scale = 1;

  std::vector<LayerProgram> layers;

  // logits = output * rms_norm(hidden) (* logit_scale); softcap > 0 as in AttentionOp. `output` may
  // be the embedding.
  TensorId output_norm = kNoTensor;
  float output_norm_eps = 0;
  TensorId output = kNoTensor;
  float logit_scale = 1;
  float logit_softcap = 0;

  // Of a model that ranks texts: [classes, d_model]. No stage holds it; it is applied to hidden
  // rows behind the final norm.
  TensorId classifier = kNoTensor;
};

// Layers [begin, end).
struct LayerRange {
  std::uint32_t begin = 0, end = 0;
  std::uint32_t size() const { return end - begin; }
};

// Logits that the output matrix of this program gives for one row: the vocabulary, or the rank's
// part of it, beginning with the token `tensors[output].first_row`.
std::uint32_t logit_width(const Program& program);

// Width in values of `slot` for one token.
std::uint32_t slot_width(const Program& program, Slot slot);

}  // namespace drystone

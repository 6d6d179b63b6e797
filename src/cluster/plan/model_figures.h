#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// Bounds of what a planner looks at; beyond them figures are refused.
constexpr std::uint32_t kPlanLayersMax = 1024;
constexpr std::size_t kPlanNameMax = 256;  // bytes of a model's, node's or type's name
constexpr std::size_t kPlanTypesMax = 16;  // types of weights in one half of a layer

// Weights of one type: what is stored, and what a row costs.
struct TypedWeights {
  std::string type;                 // "q4_0": the name of a rate in NodeFigures
  Bytes bytes = 0;                  // as loaded; all of them are read once per step
  std::uint64_t multiply_adds = 0;  // per row
  bool operator==(const TypedWeights&) const = default;
};

// One layer. Shards divide `attention` by KV heads and `feed_forward` by its columns.
struct LayerFigures {
  std::vector<TypedWeights> attention, feed_forward;
  Bytes whole_bytes = 0;           // norms and the like: every rank holds them
  std::uint32_t kv_values = 0;     // numbers kept per token: keys and values of all KV heads
  std::uint64_t position_ops = 0;  // multiply-adds per row and position that it sees
  std::uint32_t window = 0;        // positions that a row sees at most; 0: all
  bool operator==(const LayerFigures&) const = default;
};

// Memory beside weights and KV cache of a part that runs steps of `rows` rows:
//   fixed + rows * (row_whole + row_divided * share), and in the first stage, for the rank's part
//   of the vocabulary (the head: all of it), logit_rows * logit_row.
struct WorkingMemory {
  Bytes fixed = 0;
  Bytes row_whole = 0;    // per row, on every rank: as wide as the model
  Bytes row_divided = 0;  // per row, divided over the ranks: queries, keys, values, feed-forward
  Bytes logit_row = 0;    // per row whose logits can be wanted
  bool operator==(const WorkingMemory&) const = default;
};

// What a planner needs to know of a model, as plain numbers: they travel between nodes, so that a
// node can plan a model whose file it does not have. A value.
struct ModelFigures {
  std::string name;
  std::uint32_t context = 0;  // positions that it is made for
  std::uint32_t d_model = 0, vocab = 0;
  std::uint32_t kv_heads = 0, kv_block = 1;  // ranks take multiples of kv_block KV heads
  std::uint32_t ff_width = 0, ff_block = 1;  // ranks take multiples of ff_block columns
  std::uint32_t vocab_block = 1;             // and multiples of vocab_block rows of the output
  std::uint32_t page_tokens = 1;             // positions of a KV page
  std::vector<LayerFigures> layers;
  TypedWeights embedding;  // at the head, whole; a row is read per token
  TypedWeights output;     // at the head, divided by vocabulary over the ranks of its stage
  bool tied = false;       // the output matrix is the embedding: one tensor, held once
  WorkingMemory working;
  bool operator==(const ModelFigures&) const = default;

  Bytes layer_bytes() const;    // of all layers
  Bytes weights_bytes() const;  // of everything, held once
};

// {"name", "context", ..., "layers": [{"count": 22, "attention": [...], ...}], ...}: equal layers
// in a row are written once. docs/formats/placement.md.
boost::json::object to_json(const ModelFigures& figures);

// Errors: corrupt  a field is missing, of the wrong kind, out of bounds, or the figures contradict
//                  each other (no layers, a zero width, ff_width no multiple of ff_block)
Result<ModelFigures> model_figures_from_json(const boost::json::value& value);

// How the numbers of a KV cache are kept.
enum class KvFormat { f16, f32, q8_0 };
std::string_view to_string(KvFormat format);
Result<KvFormat> kv_format_from(std::string_view name);  // Errors: invalid_argument.
// Of `values` numbers (a multiple of 32 for q8_0 gives the exact size).
Bytes kv_bytes(KvFormat format, std::uint64_t values);

}  // namespace drystone

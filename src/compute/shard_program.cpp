#include "compute/shard_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

#include "base/check.h"

namespace drystone {
namespace {

// Inputs that are quantized together (kScaleGroup in compute/cpu), then those that kernels take
// together: a cut between groups of 128 leaves the rounding of the whole.
constexpr std::uint32_t kInputGroups[] = {128, 64, 32};
// Borders that leave each rank so many units on average are close enough.
constexpr std::uint32_t kEnoughUnits = 4;
constexpr std::uint32_t kVocabGrain = 64;

// What the ranks have to do already, and their shares of it.
struct Loads {
  std::span<const double> shares;
  std::vector<double> bytes;
};

// What is divided: `total` indices in units of `grain`, of `bytes` together.
struct Divided {
  std::string_view what;
  std::uint32_t total, grain;
  double bytes;
};

Result<std::vector<CutRange>> divide(const Divided& divided, Loads& loads) {
  const auto ranks = static_cast<std::uint32_t>(loads.shares.size());
  const std::uint32_t units = (divided.total + divided.grain - 1) / divided.grain;
  if (units < ranks)
    return Error(Errc::unsupported,
                 fmt::format("{} shards need at least as many parts of each layer, but the {} {} "
                             "can be cut at multiples of {} only: {} part{}",
                             ranks, divided.total, divided.what, divided.grain, units,
                             units == 1 ? "" : "s"));
  const double unit_bytes = divided.bytes / units;
  std::vector<std::uint32_t> counts(ranks, 1);
  for (double& bytes : loads.bytes) bytes += unit_bytes;
  for (std::uint32_t left = units - ranks; left > 0; --left) {
    std::uint32_t best = 0;
    double best_time = std::numeric_limits<double>::infinity();
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      const double time = (loads.bytes[rank] + unit_bytes) / loads.shares[rank];
      if (time < best_time) best = rank, best_time = time;
    }
    counts[best] += 1;
    loads.bytes[best] += unit_bytes;
  }
  std::vector<CutRange> ranges;
  std::uint32_t unit = 0;
  for (const std::uint32_t count : counts) {
    const std::uint32_t begin = unit * divided.grain;
    unit += count;
    ranges.push_back({begin, std::min(unit * divided.grain, divided.total)});
  }
  return ranges;
}

// Multiples of how many indices, each `cols` columns of a weight, are borders of blocks.
std::uint32_t grain_of(std::uint32_t cols, std::uint32_t block, std::uint32_t total,
                       std::uint32_t ranks) {
  for (const std::uint32_t group : kInputGroups) {
    const std::uint32_t grain = std::lcm(std::lcm(block, group), cols) / cols;
    if (total / grain >= kEnoughUnits * ranks) return grain;
  }
  return std::lcm(block, cols) / cols;
}

bool is_attention(TensorRole role) {
  return role == TensorRole::attention_q || role == TensorRole::attention_k ||
         role == TensorRole::attention_v || role == TensorRole::attention_output;
}

bool is_mlp(TensorRole role) {
  return role == TensorRole::mlp_gate || role == TensorRole::mlp_up || role == TensorRole::mlp_down;
}

// Of the weights of all layers.
struct LayerFigures {
  double attention_bytes = 0, mlp_bytes = 0;
  std::uint32_t attention_block = 1, mlp_block = 1;  // of column cuts
};

LayerFigures figures_of(const Program& program,
                        const std::function<DType(const TensorSpec&)>& type_of) {
  LayerFigures figures;
  for (const TensorSpec& spec : program.tensors) {
    if (!is_attention(spec.role) && !is_mlp(spec.role)) continue;
    const DType type = type_of(spec);
    (is_mlp(spec.role) ? figures.mlp_bytes : figures.attention_bytes) +=
        static_cast<double>(spec.rows) * static_cast<double>(row_bytes(type, spec.cols));
    if (spec.cut != TensorCut::columns) continue;
    std::uint32_t& block = is_mlp(spec.role) ? figures.mlp_block : figures.attention_block;
    block = std::lcm(block, dtype_info(type).block_elems);
  }
  return figures;
}

Result<void> check_layers_alike(const Program& program) {
  for (const LayerProgram& layer : program.layers)
    for (const Op& op : layer.ops)
      if (const auto* attention = std::get_if<AttentionOp>(&op);
          attention != nullptr &&
          (attention->heads != program.heads_max || attention->kv_heads != program.kv_heads ||
           attention->heads % attention->kv_heads != 0))
        return Error(Errc::unsupported,
                     fmt::format("a layer has {} query heads and {} KV heads, others {} and {}: "
                                 "only layers that are alike can be divided into shards",
                                 attention->heads, attention->kv_heads, program.heads_max,
                                 program.kv_heads));
  return {};
}

void cut_rows(TensorSpec& spec, CutRange range) {
  CHECK(range.begin < range.end && range.end <= spec.rows, spec.name, range.begin, range.end,
        spec.rows);
  spec.first_row += range.begin;
  spec.rows = range.size();
}

void cut_columns(TensorSpec& spec, CutRange range) {
  CHECK(range.begin < range.end && range.end <= spec.cols, spec.name, range.begin, range.end,
        spec.cols);
  spec.file_cols = file_cols(spec);
  spec.first_col += range.begin;
  spec.cols = range.size();
}

template <typename Visit>
void for_tensor_ids(Program& program, Visit visit) {
  for (TensorId* id :
       {&program.embedding, &program.output_norm, &program.output, &program.classifier})
    visit(*id);
  for (LayerProgram& layer : program.layers)
    for (Op& op : layer.ops) {
      if (auto* norm = std::get_if<NormOp>(&op)) visit(norm->weight);
      if (auto* linear = std::get_if<LinearOp>(&op))
        for (LinearPart& part : linear->parts) visit(part.weight), visit(part.bias);
    }
}

// Writes the rank's part into a copy of the whole program.
class ShardWriter {
 public:
  ShardWriter(const Program& program, const ShardCut& cut)
      : program_(program), cut_(cut), group_(program.heads_max / program.kv_heads) {}

  void write() {
    program_.rank = cut_.rank;
    program_.ranks = cut_.ranks;
    for (LayerProgram& layer : program_.layers)
      for (Op& op : layer.ops) {
        if (auto* linear = std::get_if<LinearOp>(&op)) write(*linear);
        if (auto* rope = std::get_if<RopeOp>(&op))
          rope->heads = cut_.kv_heads.size() * (rope->slot == Slot::q ? group_ : 1);
        if (auto* attention = std::get_if<AttentionOp>(&op)) {
          attention->kv_heads = cut_.kv_heads.size();
          attention->heads = cut_.kv_heads.size() * group_;
        }
      }
    program_.kv_heads = cut_.kv_heads.size();
    program_.heads_max = cut_.kv_heads.size() * group_;
    program_.ff_width = cut_.ff.size();
    if (program_.output == program_.embedding) {
      program_.tensors.push_back(program_.tensors[program_.embedding]);
      program_.output = static_cast<TensorId>(program_.tensors.size() - 1);
    }
    cut_rows(program_.tensors[program_.output], cut_.vocab);
    drop_unused();
  }

  Program take() { return std::move(program_); }

 private:
  CutRange heads(std::uint32_t per_kv_head) const {
    const std::uint32_t values = per_kv_head * program_.head_dim;
    return {cut_.kv_heads.begin * values, cut_.kv_heads.end * values};
  }

  CutRange range_of(TensorRole role) const {
    if (is_mlp(role)) return cut_.ff;
    CHECK(is_attention(role), static_cast<int>(role));
    return heads(role == TensorRole::attention_k || role == TensorRole::attention_v ? 1 : group_);
  }

  void write(LinearOp& op) {
    for (LinearPart& part : op.parts) {
      TensorSpec& weight = program_.tensors[part.weight];
      const CutRange range = range_of(weight.role);
      CHECK(weight.cut == (op.reduce ? TensorCut::columns : TensorCut::rows), weight.name);
      op.reduce ? cut_columns(weight, range) : cut_rows(weight, range);
      if (part.bias == kNoTensor) continue;
      TensorSpec& bias = program_.tensors[part.bias];
      if (op.reduce) {
        if (cut_.rank != 0) part.bias = kNoTensor;
      } else {
        bias.rows == 1 ? cut_columns(bias, range) : cut_rows(bias, range);
      }
    }
  }

  void drop_unused() {
    std::vector<bool> used(program_.tensors.size(), false);
    for_tensor_ids(program_, [&](TensorId& id) {
      if (id != kNoTensor) used[id] = true;
    });
    std::vector<TensorId> moved_to(program_.tensors.size(), kNoTensor);
    std::vector<TensorSpec> kept;
    for (std::size_t id = 0; id < used.size(); ++id) {
      if (!used[id]) continue;
      moved_to[id] = static_cast<TensorId>(kept.size());
      kept.push_back(std::move(program_.tensors[id]));
    }
    program_.tensors = std::move(kept);
    for_tensor_ids(program_, [&](TensorId& id) {
      if (id != kNoTensor) id = moved_to[id];
    });
  }

  Program program_;
  const ShardCut& cut_;
  const std::uint32_t group_;  // query heads of a KV head
};

}  // namespace

Result<std::vector<ShardCut>> shard_cuts(const Program& program, std::span<const double> shares,
                                         const std::function<DType(const TensorSpec&)>& type_of) {
  CHECK(program.ranks == 1, program.ranks);
  const auto ranks = static_cast<std::uint32_t>(shares.size());
  if (shares.empty() || ranks > kShardRanksMax)
    return Error(Errc::invalid_argument,
                 fmt::format("a model is divided into 1 to {} shards, {} were asked for",
                             kShardRanksMax, shares.size()));
  for (const double share : shares)
    if (!(share > 0 && std::isfinite(share)))
      return Error(Errc::invalid_argument,
                   fmt::format("{} is no share of a model: expected a positive number", share));
  TRY(check_layers_alike(program));
  const LayerFigures figures = figures_of(program, type_of);
  const std::uint32_t head_cols = program.heads_max / program.kv_heads * program.head_dim;
  Loads layers{.shares = shares, .bytes = std::vector<double>(ranks)};
  const auto kv_heads =
      TRY(divide({"KV heads", program.kv_heads,
                  grain_of(head_cols, figures.attention_block, program.kv_heads, ranks),
                  figures.attention_bytes},
                 layers));
  const auto ff =
      TRY(divide({"columns of the MLP", program.ff_width,
                  grain_of(1, figures.mlp_block, program.ff_width, ranks), figures.mlp_bytes},
                 layers));
  Loads head{.shares = shares, .bytes = std::vector<double>(ranks)};
  const auto vocab = TRY(divide({"tokens of the vocabulary", program.vocab, kVocabGrain, 1}, head));
  std::vector<ShardCut> cuts;
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    cuts.push_back({rank, ranks, kv_heads[rank], ff[rank], vocab[rank]});
  return cuts;
}

Program shard_program(const Program& program, const ShardCut& cut) {
  CHECK(program.ranks == 1 && cut.rank < cut.ranks && cut.ranks <= kShardRanksMax, program.ranks,
        cut.rank, cut.ranks);
  CHECK(cut.kv_heads.begin < cut.kv_heads.end && cut.kv_heads.end <= program.kv_heads,
        cut.kv_heads.begin, cut.kv_heads.end, program.kv_heads);
  CHECK(cut.ff.begin < cut.ff.end && cut.ff.end <= program.ff_width, cut.ff.begin, cut.ff.end,
        program.ff_width);
  ShardWriter writer(program, cut);
  writer.write();
  return writer.take();
}

}  // namespace drystone

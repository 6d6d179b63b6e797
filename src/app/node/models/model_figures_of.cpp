#include "app/node/models/model_figures_of.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cluster/plan/row_format.h"
#include "compute/cpu/device/kv_cache.h"
#include "compute/cpu/matmul.h"
#include "compute/shard_program.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

// As shard_cuts does: ranks should begin and end with a group of inputs that is quantized together,
// so that a shard rounds as the whole does, where that leaves enough to divide.
constexpr std::uint32_t kInputGroups[] = {128, 64, 32};
constexpr std::uint32_t kEnoughUnits = 8;
constexpr std::uint32_t kVocabBlock = 64;

// Steps between which the working memory is taken to be a line.
constexpr std::uint32_t kFewRows = 64, kManyRows = 512;

bool is_attention(TensorRole role) {
  return role == TensorRole::attention_q || role == TensorRole::attention_k ||
         role == TensorRole::attention_v || role == TensorRole::attention_output;
}

bool is_mlp(TensorRole role) {
  return role == TensorRole::mlp_gate || role == TensorRole::mlp_up || role == TensorRole::mlp_down;
}

class FiguresWriter {
 public:
  FiguresWriter(const GgufFile& file, const Program& program, const Device& device)
      : file_(file), program_(program), device_(device) {}

  void write(ModelFigures& figures) const {
    figures.d_model = program_.d_model;
    figures.vocab = program_.vocab;
    figures.kv_heads = program_.kv_heads;
    figures.ff_width = program_.ff_width;
    figures.vocab_block = kVocabBlock;
    figures.page_tokens = kKvPageTokens;
    figures.layers.resize(program_.layers.size());
    write_weights(figures);
    write_blocks(figures);
    write_attention(figures);
    write_working_memory(figures);
  }

 private:
  DType type_of(const TensorSpec& spec) const { return file_.find(spec.name)->type; }

  TypedWeights weights_of(const TensorSpec& spec) const {
    const DType type = type_of(spec);
    return {.type = std::string(to_string(type)),
            .bytes = PackedMatrix::packed_bytes(type, spec.rows, spec.cols),
            .multiply_adds = std::uint64_t{spec.rows} * spec.cols};
  }

  static void add(std::vector<TypedWeights>& weights, TypedWeights more) {
    const auto same = std::ranges::find(weights, more.type, &TypedWeights::type);
    if (same == weights.end()) return weights.push_back(std::move(more));
    same->bytes += more.bytes;
    same->multiply_adds += more.multiply_adds;
  }

  void write_weights(ModelFigures& figures) const {
    for (const TensorSpec& spec : program_.tensors) {
      if (spec.layer < 0) continue;
      LayerFigures& layer = figures.layers[static_cast<std::size_t>(spec.layer)];
      if (is_attention(spec.role))
        add(layer.attention, weights_of(spec));
      else if (is_mlp(spec.role))
        add(layer.feed_forward, weights_of(spec));
      else  // norms and biases, in f32
        layer.whole_bytes += Bytes{spec.rows} * spec.cols * sizeof(float);
    }
    figures.embedding = weights_of(program_.tensors[program_.embedding]);
    figures.embedding.multiply_adds = 0;
    figures.output = weights_of(program_.tensors[program_.output]);
    figures.tied = program_.output == program_.embedding;
  }

  // The blocks of all matrices of a kind that are cut by columns.
  std::uint32_t block_of(bool (*is_kind)(TensorRole)) const {
    std::uint32_t block = 1;
    for (const TensorSpec& spec : program_.tensors)
      if (is_kind(spec.role) && spec.cut == TensorCut::columns)
        block = std::lcm(block, dtype_info(type_of(spec)).block_elems);
    return block;
  }

  // Of `total` indices that are `cols` columns each: how many must stay together.
  static std::uint32_t unit_of(std::uint32_t total, std::uint32_t cols, std::uint32_t block) {
    for (const std::uint32_t group : kInputGroups) {
      const std::uint32_t unit = std::lcm(std::lcm(block, group), cols) / cols;
      if (total % unit == 0 && total / unit >= kEnoughUnits) return unit;
    }
    return std::gcd(std::lcm(block, cols) / cols, total);
  }

  void write_blocks(ModelFigures& figures) const {
    const std::uint32_t head_cols = program_.heads_max / program_.kv_heads * program_.head_dim;
    figures.kv_block = layers_alike() && program_.d_model % kSumBlock == 0
                           ? unit_of(program_.kv_heads, head_cols, block_of(is_attention))
                           : program_.kv_heads;
    figures.ff_block = unit_of(program_.ff_width, 1, block_of(is_mlp));
  }

  bool layers_alike() const {
    for (const LayerProgram& layer : program_.layers)
      for (const Op& op : layer.ops)
        if (const auto* attention = std::get_if<AttentionOp>(&op);
            attention != nullptr &&
            (attention->heads != program_.heads_max || attention->kv_heads != program_.kv_heads))
          return false;
    return true;
  }

  void write_attention(ModelFigures& figures) const {
    for (std::size_t i = 0; i < program_.layers.size(); ++i) {
      LayerFigures& layer = figures.layers[i];
      // The cache keeps what the widest layer needs, for each.
      layer.kv_values = 2 * program_.kv_heads * program_.head_dim;
      for (const Op& op : program_.layers[i].ops)
        if (const auto* attention = std::get_if<AttentionOp>(&op)) {
          layer.position_ops += std::uint64_t{2} * attention->heads * attention->head_dim;
          layer.window = attention->window;
        }
    }
  }

  // Of the layers of `program`, for steps of `rows` rows.
  double body_bytes(const Program& program, std::uint32_t rows) const {
    return working_bytes(program, {.layers = {0, static_cast<std::uint32_t>(program.layers.size())},
                                   .embed = false,
                                   .head = HeadPlace::none,
                                   .batch_tokens_max = rows});
  }

  // Of embedding and output matrix.
  double front_bytes(std::uint32_t rows, std::uint32_t logit_rows) const {
    return working_bytes(program_, {.layers = {0, 0},
                                    .head = HeadPlace::apart,
                                    .batch_tokens_max = rows,
                                    .logit_rows_max = logit_rows});
  }

  double working_bytes(const Program& program, const StageOptions& options) const {
    return static_cast<double>(
        device_.estimate(program, options, [this](const TensorSpec& spec) { return type_of(spec); })
            .working);
  }

  void write_working_memory(ModelFigures& figures) const {
    constexpr double kRows = kManyRows - kFewRows;
    const auto row = [&](const Program& program) {
      return (body_bytes(program, kManyRows) - body_bytes(program, kFewRows)) / kRows;
    };
    const double whole = row(program_);
    const double divided = whole - row_whole(figures, whole, row);
    const double front = (front_bytes(kManyRows, 1) - front_bytes(kFewRows, 1)) / kRows;
    const double logits = (front_bytes(kManyRows, 33) - front_bytes(kManyRows, 1)) / 32;
    const double fixed = body_bytes(program_, kManyRows) - whole * kManyRows +
                         front_bytes(kManyRows, 1) - front * kManyRows - logits;
    const auto bytes = [](double value) { return static_cast<Bytes>(std::max(0.0, value) + 0.5); };
    figures.working = {.fixed = bytes(fixed),
                       .row_whole = bytes(whole - divided + front),
                       .row_divided = bytes(divided),
                       .logit_row = bytes(logits)};
  }

  // What of a row's bytes every rank has, by those of half a model.
  template <typename Row>
  double row_whole(const ModelFigures& figures, double whole, Row row) const {
    if (figures.kv_heads / figures.kv_block < 2 || figures.ff_width / figures.ff_block < 2 ||
        figures.vocab < 2)
      return whole;
    const auto half = [](std::uint32_t total, std::uint32_t block) {
      return CutRange{0, std::max(1u, total / block / 2) * block};
    };
    const ShardCut cut{.rank = 0,
                       .ranks = 2,
                       .kv_heads = half(figures.kv_heads, figures.kv_block),
                       .ff = half(figures.ff_width, figures.ff_block),
                       .vocab = {0, figures.vocab / 2}};
    const double share = std::max(1.0 * cut.kv_heads.size() / figures.kv_heads,
                                  1.0 * cut.ff.size() / figures.ff_width);
    const double divided = (whole - row(shard_program(program_, cut))) / (1 - share);
    return whole - std::clamp(divided, 0.0, whole);
  }

  const GgufFile& file_;
  const Program& program_;
  const Device& device_;
};

}  // namespace

Result<ModelFigures> model_figures_of(const GgufFile& file, std::string name,
                                      const Device& device) {
  const ModelConfig config = TRY(read_config(file));
  const Program program = TRY(load_program(file, config.context));
  if (program.layers.size() > kPlanLayersMax)
    return Error(Errc::unsupported,
                 fmt::format("{} has {} layers, at most {} can be planned with", file.name(),
                             program.layers.size(), kPlanLayersMax));
  ModelFigures figures{.name = std::move(name), .context = config.context};
  FiguresWriter(file, program, device).write(figures);
  return figures;
}

}  // namespace drystone

#include "app/node/measure/tiny_model.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "app/node/measure/best_time.h"
#include "base/rng.h"
#include "compute/cpu/random_weights.h"

namespace drystone {
namespace {

constexpr std::uint32_t kMadeRows = 128;  // that are random; the others repeat them

// Weights that need no file: norms of 1; matrices of 0 in f32, or of rows that repeat.
class PlainSource final : public TensorSource {
 public:
  explicit PlainSource(DType matrices) : matrices_(matrices) {}

  Result<Tensor> read(const TensorSpec& spec) override {
    const DType type = type_of(spec);
    bytes_.clear();
    if (type == DType::f32) {
      const std::vector<float> values(std::size_t{spec.rows} * spec.cols,
                                      spec.role == TensorRole::norm ? 1.0f : 0.0f);
      const auto bytes = std::as_bytes(std::span(values));
      bytes_.assign(bytes.begin(), bytes.end());
    } else {
      Rng rng(3);
      const std::uint32_t rows = std::min(spec.rows, kMadeRows);
      const auto made = random_weights(type, std::size_t{rows} * spec.cols, rng);
      const std::size_t size = spec.rows * row_bytes(type, spec.cols);
      while (bytes_.size() < size)
        bytes_.insert(bytes_.end(), made.begin(),
                      made.begin() +
                          static_cast<std::ptrdiff_t>(std::min(made.size(), size - bytes_.size())));
    }
    return Tensor{type, bytes_};
  }
  Result<DType> type(const TensorSpec& spec) override { return type_of(spec); }
  Result<void> release(const TensorSpec&) override { return {}; }

 private:
  DType type_of(const TensorSpec& spec) const {
    const bool is_vector = spec.role == TensorRole::norm || spec.role == TensorRole::bias;
    return is_vector ? DType::f32 : matrices_;
  }
  const DType matrices_;
  std::vector<std::byte> bytes_;
};

}  // namespace

ModelConfig TinyModel::config(std::uint32_t layers, std::uint32_t heads, std::uint32_t kv_heads) {
  ModelConfig config{.architecture = "llama"};
  config.layers = layers;
  config.d_model = 64;
  config.ff_width = 64;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = 64;
  config.vocab = 64;
  config.context = kContext;
  return config;
}

std::unique_ptr<TinyModel> TinyModel::load(Device& device, const ModelConfig& config,
                                           std::uint32_t layers, DType matrices) {
  auto program = build_program(config, {}, kContext);
  if (!program) return nullptr;
  PlainSource source(matrices);
  auto stage = device.load(
      *program,
      {.layers = {0, layers},
       .head = layers == program->layers.size() ? HeadPlace::behind_last_layer : HeadPlace::none,
       .kv_tokens = kContext,
       .batch_tokens_max = kBatch},
      source);
  if (!stage) return nullptr;
  return std::unique_ptr<TinyModel>(new TinyModel(*std::move(stage)));
}

TinyModel::TinyModel(std::unique_ptr<DeviceStage> stage) : stage_(std::move(stage)) {
  for (std::uint32_t page = 0; page < stage_->page_count(); ++page) pages_.push_back(page);
}

std::optional<double> TinyModel::step_s(const Clock& clock, std::uint32_t rows,
                                        std::uint32_t position, RowKind kind) {
  const Segment segment{.rows = rows, .position = position, .kind = kind, .pages = pages_};
  const std::vector<std::int32_t> tokens(rows, 1);
  bool ran = true;
  const double time = best_time_s(clock, [&] {
    ran = ran && stage_->run({.segments = {&segment, 1}, .tokens = tokens}).has_value();
  });
  return ran ? std::optional(time) : std::nullopt;
}

}  // namespace drystone

#include "model/synth/synth.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "model/gguf/gguf_writer.h"
#include "model/quantize/quantize_rows.h"
#include "model/synth/random_weights.h"
#include "model/synth/synth_tokenizer.h"

namespace drystone {
namespace {

constexpr float kLongestShortFactor = 1.5f, kLongestLongFactor = 16;

// A tensor of the file: one spec, or the several that share its rows.
struct FileTensor {
  std::string name;
  std::vector<const TensorSpec*> parts;  // by first_row

  bool is_vector() const {
    const TensorRole role = parts.front()->role;
    return role == TensorRole::norm || role == TensorRole::bias;
  }
  const TensorSpec& part_of(std::uint64_t row) const {
    for (const TensorSpec* part : parts)
      if (row >= part->first_row && row < part->first_row + std::uint64_t{part->rows}) return *part;
    CHECK(false, name, row);
    __builtin_unreachable();
  }
  std::uint64_t rows() const { return parts.front()->file_rows; }
  std::uint64_t cols() const { return parts.front()->cols; }
};

std::vector<FileTensor> file_tensors(const Program& program) {
  std::vector<FileTensor> tensors;
  std::map<std::string, std::size_t> by_name;
  for (const TensorSpec& spec : program.tensors) {
    const auto [at, added] = by_name.emplace(spec.name, tensors.size());
    if (added) tensors.push_back({spec.name, {}});
    tensors[at->second].parts.push_back(&spec);
  }
  return tensors;
}

GgufTensorToWrite f32_vector(std::string name, std::vector<float> values) {
  const std::uint64_t size = values.size();
  return {std::move(name), DType::f32, {size}, [values = std::move(values)](const ByteSink& sink) {
            return sink(std::as_bytes(std::span(values)));
          }};
}

// Rotation factors, where the family or the model has them. They go to the file only: build_program
// needs none of them to name the other tensors.
void add_rope_tensors(const SynthModel& model, const ModelConfig& config,
                      std::vector<GgufTensorToWrite>& out) {
  if (model.rope_freqs)
    out.push_back(f32_vector("rope_freqs.weight", llama31_rope_factors(config)));
  if (config.rope_scaling.kind == ModelConfig::RopeScaling::Kind::longrope) {
    out.push_back(
        f32_vector("rope_factors_long.weight", longrope_factors(config, kLongestLongFactor)));
    out.push_back(
        f32_vector("rope_factors_short.weight", longrope_factors(config, kLongestShortFactor)));
  }
}

struct Writing {
  const RandomWeights& weights;
  ThreadPool& pool;
  const std::function<void(double)>& progress;
  std::uint64_t done = 0, total = 0;  // weights
};

GgufTensorToWrite random_tensor(FileTensor tensor, DType type, Writing& writing) {
  const std::vector<std::uint64_t> dims =
      tensor.is_vector() ? std::vector<std::uint64_t>{tensor.rows() * tensor.cols()}
                         : std::vector<std::uint64_t>{tensor.cols(), tensor.rows()};
  writing.total += tensor.rows() * tensor.cols();
  std::string name = tensor.name;
  return {
      std::move(name), type, dims,
      [tensor = std::move(tensor), type, &writing](const ByteSink& sink) -> Result<void> {
        const auto make_row = [&](std::uint64_t row, float* out) {
          writing.weights.make_row(tensor.part_of(row), row, out);
        };
        TRY(quantize_rows(writing.pool,
                          {.type = type, .rows = tensor.rows(), .cols = tensor.cols()}, make_row,
                          sink));
        writing.done += tensor.rows() * tensor.cols();
        if (writing.progress)
          writing.progress(static_cast<double>(writing.done) / static_cast<double>(writing.total));
        return {};
      }};
}

// As a prompt of llama.cpp's conversions: it replaces the words in braces.
constexpr const char* kRankTemplate =
    "<|im_start|>system\nSay yes or no.<|im_end|>\n<|im_start|>user\n<Query>: {query}\n"
    "<Document>: {document}<|im_end|>\n<|im_start|>assistant\n";

Result<ModelConfig> checked_config(const SynthModel& model) {
  auto config = complete_config(model.config);
  if (!config) return Error(Errc::invalid_argument, config.error().message());
  if (model.rope_freqs && config->architecture != "llama")
    return Error(
        Errc::invalid_argument,
        fmt::format("rope_freqs.weight belongs to llama models, not to {}", config->architecture));
  if (config->pooling == PoolingType::rank && config->architecture != "qwen3")
    return Error(Errc::invalid_argument,
                 fmt::format("models for ranking are of architecture qwen3 here, not {}",
                             config->architecture));
  return config;
}

}  // namespace

Result<void> write_synth(const SynthModel& model, const Mixture& mixture,
                         const std::filesystem::path& out, ThreadPool& pool,
                         const std::function<void(double)>& progress) {
  const ModelConfig config = TRY(checked_config(model));
  const Program program = TRY(build_program(config, {}, config.context));
  Metadata metadata;
  write_config(config, metadata);
  write_mixture(mixture, metadata);
  // No family in the name: llama.cpp looks there for tokens that need special care.
  metadata.set("general.name", fmt::format("synthetic, seed {}", model.seed));
  if (config.pooling == PoolingType::rank)
    metadata.set("tokenizer.chat_template.rerank", std::string(kRankTemplate));
  const RandomWeights weights(config, model.seed, TRY(write_synth_tokenizer(config, metadata)));

  const MixtureContext context =
      TRY(MixtureContext::of(metadata, /*has_output=*/!config.tied_output));
  Writing writing{.weights = weights, .pool = pool, .progress = progress};
  std::vector<GgufTensorToWrite> tensors;
  for (FileTensor& tensor : file_tensors(program)) {
    const DType type =
        tensor.is_vector() ? DType::f32 : choose_type(mixture, context, tensor.name, tensor.cols());
    tensors.push_back(random_tensor(std::move(tensor), type, writing));
  }
  add_rope_tensors(model, config, tensors);
  return write_gguf(out, metadata, tensors);
}

}  // namespace drystone

#include <fmt/format.h>

#include <algorithm>

#include "model/arch/family.h"

namespace drystone {
namespace {

Result<void> check_factors(std::string_view name, const std::vector<float>& factors,
                           const ModelConfig& config) {
  if (factors.empty()) return {};
  if (factors.size() != config.rope_dims / 2)
    return Error(Errc::corrupt,
                 fmt::format("{} has {} values: expected {}, one for each rotated pair", name,
                             factors.size(), config.rope_dims / 2));
  for (const float factor : factors)
    if (!(factor >= 1e-3f && factor <= 1e6f))
      return Error(Errc::corrupt,
                   fmt::format("{} holds {}: expected 0.001 to 1000000", name, factor));
  return {};
}

// The factors that a sequence of up to `context` tokens rotates with, or null.
const std::vector<float>* choose_factors(const RopeTensors& rope, const ModelConfig& config,
                                         std::uint32_t context) {
  if (!rope.freqs.empty()) return &rope.freqs;
  const auto& factors =
      context > config.rope_scaling.original_context ? rope.factors_long : rope.factors_short;
  return factors.empty() ? nullptr : &factors;
}

TensorId add_tensor(Program& program, TensorSpec spec) {
  program.tensors.push_back(std::move(spec));
  return static_cast<TensorId>(program.tensors.size() - 1);
}

}  // namespace

Result<Program> build_program(const ModelConfig& given, const RopeTensors& rope,
                              std::uint32_t context) {
  const ModelConfig config = TRY(complete_config(given));
  TRY(check_factors("rope_freqs.weight", rope.freqs, config));
  TRY(check_factors("rope_factors_long.weight", rope.factors_long, config));
  TRY(check_factors("rope_factors_short.weight", rope.factors_short, config));

  Program program;
  program.architecture = config.architecture;
  program.d_model = config.d_model;
  program.vocab = config.vocab;
  program.context = config.context;
  program.heads_max = config.heads;
  program.kv_heads = config.kv_heads;
  program.head_dim = config.head_dim;
  program.ff_width = config.ff_width;
  program.embedding_scale = config.embedding_scale;
  program.embedding = add_tensor(program, {.name = "token_embd.weight",
                                           .role = TensorRole::embedding,
                                           .rows = config.vocab,
                                           .cols = config.d_model,
                                           .file_rows = config.vocab});

  const Family* family = find_family(config.architecture);
  program.layers.resize(config.layers);
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    LayerBuilder layer(config, program, static_cast<int>(i));
    layer.rope_factors_ = choose_factors(rope, config, context);
    family->build_layer(layer);
  }

  program.output_norm = add_tensor(program, {.name = "output_norm.weight",
                                             .role = TensorRole::norm,
                                             .rows = 1,
                                             .cols = config.d_model,
                                             .file_rows = 1});
  program.output_norm_eps = config.norm_eps;
  program.output = config.tied_output ? program.embedding
                                      : add_tensor(program, {.name = "output.weight",
                                                             .role = TensorRole::output,
                                                             .cut = TensorCut::rows,
                                                             .rows = config.vocab,
                                                             .cols = config.d_model,
                                                             .file_rows = config.vocab});
  if (!config.classes.empty()) {
    const auto classes = static_cast<std::uint32_t>(config.classes.size());
    program.classifier = add_tensor(program, {.name = "cls.output.weight",
                                              .role = TensorRole::classifier,
                                              .rows = classes,
                                              .cols = config.d_model,
                                              .file_rows = classes});
  }
  program.logit_scale = config.logit_scale;
  program.logit_softcap = config.logit_softcap;
  return program;
}

}  // namespace drystone

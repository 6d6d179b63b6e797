#include "model/synth/synth.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/progress_bar.h"
#include "model/synth/presets.h"

namespace drystone {
namespace {

struct SynthOptions {
  std::string out, preset, arch, pooling;
  std::string type = "q4_k_m";
  std::optional<std::uint32_t> layers, width, ff, heads, kv_heads, head_dim, vocab, context, window;
  bool rope_freqs = false;
  std::uint64_t seed = 1;
  int threads = 0;
};

// What a family's models usually have and no flag says.
ModelConfig family_defaults(const std::string& arch) {
  ModelConfig config;
  config.architecture = arch;
  config.layers = 16;
  config.d_model = 2048;
  config.ff_width = 8192;
  config.heads = 32;
  config.kv_heads = 8;
  config.vocab = 32000;
  config.context = 8192;
  config.qkv_bias = arch == "qwen2";
  config.tied_output = arch == "gemma3";
  config.window = arch == "gemma3" ? 512 : 0;
  if (arch.starts_with("qwen") || arch == "gemma3") config.rope_base = 1e6f;
  return config;
}

Result<void> set_pooling(const std::string& name, ModelConfig& config) {
  if (name == "mean") {
    config.pooling = PoolingType::mean;
  } else if (name == "last") {
    config.pooling = PoolingType::last;
  } else if (name == "rank") {
    config.pooling = PoolingType::rank;
    config.classes = {"yes", "no"};
  } else if (!name.empty()) {
    return Error(Errc::invalid_argument,
                 fmt::format("--pooling '{}' is unknown: expected mean, last or rank", name));
  }
  return {};
}

Result<SynthModel> model_of(const SynthOptions& options) {
  SynthModel model;
  if (!options.preset.empty()) {
    const SynthPreset* preset = find_preset(options.preset);
    if (preset == nullptr)
      return Error(Errc::invalid_argument,
                   fmt::format("there is no preset '{}': expected one of {}", options.preset,
                               preset_names()));
    model = preset->model;
    if (!options.arch.empty() && options.arch != model.config.architecture)
      return Error(Errc::invalid_argument,
                   fmt::format("preset {} is of architecture {}, not {}: leave one of them out",
                               options.preset, model.config.architecture, options.arch));
  } else {
    model.config = family_defaults(options.arch.empty() ? "llama" : options.arch);
  }
  ModelConfig& config = model.config;
  config.layers = options.layers.value_or(config.layers);
  if ((options.width || options.heads) && !options.head_dim)
    config.head_dim = 0;  // follows from these two
  config.d_model = options.width.value_or(config.d_model);
  config.ff_width = options.ff.value_or(config.ff_width);
  config.heads = options.heads.value_or(config.heads);
  config.kv_heads = options.kv_heads.value_or(config.kv_heads);
  config.head_dim = options.head_dim.value_or(config.head_dim);
  config.vocab = options.vocab.value_or(config.vocab);
  config.context = options.context.value_or(config.context);
  config.window = options.window.value_or(config.window);
  if (options.head_dim || config.head_dim == 0) config.rope_dims = 0;  // all of the head
  TRY(set_pooling(options.pooling, config));
  model.rope_freqs |= options.rope_freqs;
  model.seed = options.seed;
  return model;
}

Result<void> synth(const SynthOptions& options) {
  const Mixture* mixture = find_mixture(options.type);
  if (mixture == nullptr)
    return Error(Errc::invalid_argument, fmt::format("--type '{}' is unknown: expected one of {}",
                                                     options.type, mixture_names()));
  const SynthModel model = TRY(model_of(options));
  ThreadPool pool(threads_or_default(options.threads));
  return write_synth(model, *mixture, options.out, pool, progress_bar("writing " + options.out));
}

}  // namespace

void add_synth(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SynthOptions>();
  CLI::App* command =
      app.add_subcommand("synth", "Write a model with random weights, for tests and benchmarks");
  command->add_option("OUT", options->out, "File to write")->required()->type_name("");
  const auto add = [&](const char* flag, auto& value, const char* type, const std::string& help) {
    return command->add_option(flag, value, help)->type_name(type);
  };
  add("--preset", options->preset, "NAME", broken_into_lines(preset_names()));
  add("--arch", options->arch, "NAME", supported_architectures() + " [llama]");
  add("--type", options->type, "TYPE", "q4_0, q4_k_m, f16 ... as in quantize [q4_k_m]");
  add("--seed", options->seed, "N", "The same seed gives the same file [1]")
      ->check([](const std::string& text) {  // CLI11 takes -1 for the largest number.
        return text.starts_with('-') ? "expected 0 or more, got " + text : "";
      });
  add("--layers", options->layers, "N", "Layers [16]");
  add("--width", options->width, "N", "Values per token between layers [2048]");
  add("--ff", options->ff, "N", "Feed-forward width [8192]");
  add("--heads", options->heads, "N", "Query heads [32]");
  add("--kv-heads", options->kv_heads, "N", "Key and value heads [8]");
  add("--head-dim", options->head_dim, "N", "Values per head [width / heads]");
  add("--vocab", options->vocab, "N", "Tokens [32000]");
  add("--context", options->context, "N", "Longest context, tokens [8192]");
  add("--window", options->window, "N", "Sliding window, tokens [gemma3: 512]");
  add("--pooling", options->pooling, "NAME",
      "Made for embeddings (mean, last) or for reranking (rank; qwen3)");
  command->add_flag("--rope-freqs", options->rope_freqs, "Llama-3.1 rotation factors");
  add_threads_flag(*command, options->threads);
  command->footer(
      "Example:\n  drystone synth --preset llama-1b --type q4_0 --seed 1 /tmp/llama-1b-q4_0.gguf");
  command->callback([options, &exit_code] { exit_code = finish("synth", synth(*options)); });
}

}  // namespace drystone

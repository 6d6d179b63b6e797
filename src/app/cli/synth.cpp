#include "model/synth/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/progress_bar.h"
#include "model/synth/presets.h"

namespace drystone {
namespace {

struct SynthOptions {
  std::string out, preset, arch;
  std::string type = "q4_k_m";
  std::optional<std::uint32_t> layers, width, ff, heads, kv_heads, head_dim, vocab, context, window;
  bool rope_freqs = false;
  std::uint64_t seed = 1;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
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
  ThreadPool pool(options.threads);
  return write_synth(model, *mixture, options.out, pool, progress_bar("writing " + options.out));
}

}  // namespace

void add_synth(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SynthOptions>();
  CLI::App* command =
      app.add_subcommand("synth", "Write a model with random weights, for tests and benchmarks");
  command->add_option("OUT", options->out, "File to write")->required();
  command->add_option("--preset", options->preset, preset_names());
  command->add_option("--arch", options->arch, supported_architectures() + " (llama)");
  command->add_option("--type", options->type, "q4_0, q4_k_m, f16 ... as in quantize")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "The same seed gives the same file")
      ->capture_default_str();
  command->add_option("--layers", options->layers, "Layers (16)");
  command->add_option("--width", options->width, "Values per token between layers (2048)");
  command->add_option("--ff", options->ff, "Feed-forward width (8192)");
  command->add_option("--heads", options->heads, "Query heads (32)");
  command->add_option("--kv-heads", options->kv_heads, "Key and value heads (8)");
  command->add_option("--head-dim", options->head_dim, "Values per head (width / heads)");
  command->add_option("--vocab", options->vocab, "Tokens (32000)");
  command->add_option("--context", options->context, "Longest context, tokens (8192)");
  command->add_option("--window", options->window, "Sliding window, tokens (gemma3: 512)");
  command->add_flag("--rope-freqs", options->rope_freqs, "Llama-3.1 rotation factors");
  command->add_option("--threads", options->threads, "Threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->footer(
      "Example:\n  drystone synth --preset llama-1b --type q4_0 --seed 1 /tmp/llama-1b-q4_0.gguf");
  command->callback([options, &exit_code] { exit_code = finish("synth", synth(*options)); });
}

}  // namespace drystone

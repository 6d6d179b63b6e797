#include "model/synth/presets.h"

#include <array>

namespace drystone {
namespace {

// Widths are multiples of 256, so that every type of block fits; everything else is as small as the
// family's features allow.
ModelConfig tiny(std::string architecture) {
  ModelConfig config;
  config.architecture = std::move(architecture);
  config.layers = 2;
  config.d_model = 256;
  config.ff_width = 512;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.vocab = 512;
  config.context = 2048;
  return config;
}

ModelConfig llama_1b() {
  ModelConfig config = tiny("llama");
  config.layers = 16;
  config.d_model = 2048;
  config.ff_width = 8192;
  config.heads = 32;
  config.kv_heads = 8;
  config.vocab = 32000;
  config.context = 8192;
  return config;
}

ModelConfig tiny_llama_31() {
  ModelConfig config = tiny("llama");
  config.rope_base = 500000;
  // Half of the pairs turn slowly enough to be slowed down within a golden's few tokens.
  config.rope_scaling.original_context = 64;
  return config;
}

ModelConfig tiny_qwen2() {
  ModelConfig config = tiny("qwen2");
  config.norm_eps = 1e-6f;
  config.rope_base = 1e6f;
  config.qkv_bias = true;
  return config;
}

ModelConfig tiny_qwen3() {
  ModelConfig config = tiny("qwen3");
  config.norm_eps = 1e-6f;
  config.rope_base = 1e6f;
  config.head_dim = 128;  // heads * head_dim differs from d_model, as in the real ones
  return config;
}

ModelConfig tiny_phi3() {
  ModelConfig config = tiny("phi3");
  config.rope_dims = 48;  // part of each head
  config.context = 4096;
  config.rope_scaling.kind = ModelConfig::RopeScaling::Kind::longrope;
  config.rope_scaling.factor = 1;
  config.rope_scaling.attn_factor = 1.19f;
  config.rope_scaling.original_context =
      256;  // short and long factors are both within reach of a golden
  return config;
}

ModelConfig tiny_gemma3() {
  ModelConfig config = tiny("gemma3");
  config.layers = 7;  // every 6th sees everything
  config.norm_eps = 1e-6f;
  config.rope_base = 1e6f;
  config.rope_scaling.kind = ModelConfig::RopeScaling::Kind::linear;
  config.rope_scaling.factor = 8;
  config.window = 16;  // shorter than a golden's sequences
  config.window_period = 6;
  config.tied_output = true;
  return config;
}

const auto& presets() {
  static const std::array<SynthPreset, 7> kPresets = {{
      {"llama-1b", {.config = llama_1b()}},
      {"tiny-llama", {.config = tiny("llama")}},
      {"tiny-llama-31", {.config = tiny_llama_31(), .rope_freqs = true}},
      {"tiny-qwen2", {.config = tiny_qwen2()}},
      {"tiny-qwen3", {.config = tiny_qwen3()}},
      {"tiny-phi3", {.config = tiny_phi3()}},
      {"tiny-gemma3", {.config = tiny_gemma3()}},
  }};
  return kPresets;
}

}  // namespace

std::span<const SynthPreset> synth_presets() { return presets(); }

const SynthPreset* find_preset(std::string_view name) {
  for (const SynthPreset& preset : presets())
    if (preset.name == name) return &preset;
  return nullptr;
}

std::string preset_names() {
  std::string names;
  for (const SynthPreset& preset : presets()) (names += names.empty() ? "" : ", ") += preset.name;
  return names;
}

}  // namespace drystone

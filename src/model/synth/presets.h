#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/synth/synth.h"

namespace drystone {

// Named models: one for benchmarks, and a small one for each family and feature for goldens.
struct SynthPreset {
  std::string_view name;
  SynthModel model;
};
std::span<const SynthPreset> synth_presets();
const SynthPreset* find_preset(std::string_view name);  // null when unknown
std::string preset_names();                             // "llama-1b, tiny-llama, ...": for messages

}  // namespace drystone

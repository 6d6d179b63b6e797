#pragma once

#include <cstddef>
#include <span>

namespace drystone {

// The GGUF file of pebble, the model inside the program (models/pebble). Empty in a build without
// it.
std::span<const std::byte> demo_model();

}  // namespace drystone

#pragma once

#include <span>
#include <vector>

#include "model/arch/architecture.h"

namespace drystone {

// Angles per position of each rotated pair: base^(-2i / dims), i in [0, dims / 2).
std::vector<float> plain_frequencies(std::uint32_t dims, float base);

// The same with the config's base and scaling; each divided by its factor where `factors`
// [rope_dims / 2] is given. YaRN (arXiv 2309.00071): pairs that turn often within the original
// context keep their angle, slow ones are interpolated, with a linear ramp between.
std::vector<float> scaled_frequencies(const ModelConfig& config,
                                      std::span<const float> factors = {});

// What cos and sin are multiplied by.
float rope_magnitude(const ModelConfig::RopeScaling& scaling);

}  // namespace drystone

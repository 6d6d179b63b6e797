#pragma once

#include <cstdint>

#include "app/node/measure/tiny_model.h"
#include "compute/dtype.h"

// The steps whose times are StepTimes: measured by step_measure.h, understood by node_speed.h.
namespace drystone::sample_steps {

// Layers without work.
inline constexpr std::uint32_t kFew = 2, kMany = 16;

// Attention, far behind the beginning: kContext positions in all.
inline constexpr std::uint32_t kHeads = 16, kKvHeads = 4, kHeadDim = 64;
inline constexpr std::uint32_t kRows = TinyModel::kBatch, kContext = TinyModel::kContext;
inline constexpr double kAttentionOps = 2.0 * kHeads * kHeadDim;  // per row and position

// Layers with the proportions of common ones: one of them, and more.
inline constexpr std::uint32_t kWidth = 1024, kFf = 2816, kMore = 3;
inline constexpr DType kType = DType::q4_0;
inline constexpr double kWeights =
    1.0 * kWidth * (2 * kWidth + 2 * kKvHeads * kHeadDim) + 3.0 * kWidth * kFf;  // of a layer

}  // namespace drystone::sample_steps

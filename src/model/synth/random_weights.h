#pragma once

#include <cstdint>
#include <vector>

#include "compute/program.h"
#include "model/arch/architecture.h"

namespace drystone {

// The distribution of the random weights of a model. Matrices keep the variance of what they
// multiply (a normal distribution with variance 1 / inputs), so every layer sees values of order
// one. What is added to the residual stream is scaled so that the layers together weigh somewhat
// more than the embedding: the context counts, and no layer drowns the others. Logits have a
// standard deviation of about 2 (1 where the embedding is the output head).
class RandomWeights {
 public:
  // `quiet_tokens`: their rows of the output head are small, so that random text does not end at
  // once.
  RandomWeights(const ModelConfig& config, std::uint64_t seed,
                std::vector<std::uint32_t> quiet_tokens);

  // Row `file_row` of the file's tensor spec.name (of which `spec` holds it), f32 [spec.cols].
  // Depends on nothing but the seed, the name and the row. Safe to call from several threads.
  void make_row(const TensorSpec& spec, std::uint64_t file_row, float* out) const;

 private:
  float mean(const TensorSpec& spec) const;
  float deviation(const TensorSpec& spec) const;
  bool quiet(const TensorSpec& spec, std::uint64_t row) const;

  bool tied_;
  float embedding_scale_;
  float residual_;  // factor of what goes into the residual stream
  std::uint64_t seed_;
  std::vector<std::uint32_t> quiet_tokens_;
};

// Llama 3.1's factors for each rotated pair: 1 for short waves, 8 for those longer than the
// original context, blended between.
std::vector<float> llama31_rope_factors(const ModelConfig& config);

// Plausible long-context factors of phi3: growing with the wave length from 1 to `longest`.
std::vector<float> longrope_factors(const ModelConfig& config, float longest);

}  // namespace drystone

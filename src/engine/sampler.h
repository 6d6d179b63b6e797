#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace drystone {

struct SamplingOptions {
  float temperature = 0.8f;  // 0: greedy
  std::uint32_t top_k = 0;   // 0: off
  float top_p = 1, min_p = 0;
  float typical_p = 1;
  float repetition_penalty = 1, frequency_penalty = 0, presence_penalty = 0;
  std::uint32_t penalty_window = 64;  // repetition penalty looks at this many last tokens, prompt included
  std::vector<std::pair<TokenId, float>> logit_bias;
  std::uint64_t seed = 0;
};

struct TokenLogprob {
  TokenId id;
  float logprob;  // natural logarithm, of the model's own distribution (before temperature and filters)
};

struct Sampled {
  TokenId id;
  float logprob;
  std::vector<TokenLogprob> top;  // highest first
};

// Chooses the tokens of one request, from its own random stream: the same seed, logits and history give the same ids.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, std::uint32_t vocab);
  ~Sampler();
  Sampler(Sampler&&) noexcept;

  // What the penalties look back at: the prompt's ids first, then each sampled one (sample() does not add it).
  void accept(TokenId id);
  // logits: f32 [vocab], unchanged. `top_logprobs`: how many alternatives; absent: logprob is 0 and `top` empty.
  // Greedy: the highest logit after bias and penalties, the lowest id among equals.
  Sampled sample(std::span<const float> logits, std::optional<std::uint32_t> top_logprobs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drystone

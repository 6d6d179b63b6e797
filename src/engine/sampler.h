#pragma once

#include <cstdint>
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

}  // namespace drystone

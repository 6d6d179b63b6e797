#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

struct SamplingOptions {
  float temperature = 0.8f;  // 0: greedy
  std::uint32_t top_k = 0;   // 0: off
  float top_p = 1, min_p = 0;
  float typical_p = 1;
  float repetition_penalty = 1, frequency_penalty = 0, presence_penalty = 0;
  std::uint32_t penalty_window =
      64;  // repetition penalty looks at this many last tokens, prompt included
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  std::uint64_t seed = 0;
};

struct TokenLogprob {
  TokenId id;
  float logprob;  // natural logarithm, of the model's own distribution (before temperature and
                  // filters)
};

struct Sampled {
  TokenId id;
  float logprob;                  // 0 unless logprobs were asked for
  std::vector<TokenLogprob> top;  // highest first
};

// Picks the tokens of one request from its logits. The same seed, options, prompt and logits give
// the same tokens on every platform. Not thread-safe.
//
// Order: logit bias; repetition penalty (logit > 0 ? logit / penalty : logit * penalty, once for
// each distinct token of the window); frequency and presence penalty (logit - count * frequency -
// presence, over generated tokens); then, unless greedy: top-k, typical, top-p, min-p, temperature,
// each on what the one before left. Equal logits: the lowest id first.
class Sampler {
 public:
  static constexpr std::uint32_t kTopLogprobsMax = 20;

  // Errors: invalid_argument, naming the option: out of range, or a biased id that is not one of
  // `vocab` tokens.
  static Result<Sampler> create(const SamplingOptions& options, std::uint32_t vocab);

  // The prompt counts for the repetition penalty. Call before the first sample().
  void observe_prompt(std::span<const TokenId> prompt);

  // Counts a token as generated that the same sampler has picked elsewhere: what follows is what
  // would have followed there.
  void follow(TokenId id);

  // Picks a token and counts it as generated. `logits`: f32 [vocab], only read. `allowed`: bit id %
  // 64 of word id / 64 for each token that may be picked; empty: all may. Wall time grows
  // with vocab, not with its logarithm: nothing is sorted but what survives the filters. Errors:
  // invalid_argument (more than kTopLogprobsMax), corrupt (a logit is NaN or +infinity, or all are
  // -infinity);
  //         nothing was counted.
  Result<Sampled> sample(std::span<const float> logits, std::optional<std::uint32_t> top_logprobs,
                         std::span<const std::uint64_t> allowed = {});

 private:
  struct Candidate {
    float logit;
    TokenId id;
    float weight;  // not normalized; filled by weigh()
  };

  Sampler(const SamplingOptions& options, std::uint32_t vocab);
  std::span<const float> adjust(std::span<const float> logits,
                                std::span<const std::uint64_t> allowed);
  void observe(TokenId id);
  TokenId draw(std::span<const float> logits, float max);
  void gather(std::span<const float> logits, float max);
  void gather_top_k(std::span<const float> logits);
  void gather_large_top_k(std::span<const float> logits);
  void gather_for_top_p(std::span<const float> logits, float max);
  void keep_typical();
  void keep_top_p();
  void keep_min_p();
  float best_logit() const;
  double weigh(float temperature);
  TokenId pick(double total);
  void add_logprobs(std::span<const float> logits, float max, std::uint32_t count,
                    Sampled& sampled) const;

  SamplingOptions options_;
  std::uint32_t vocab_;
  Rng rng_;
  std::deque<TokenId> window_;  // the last options_.penalty_window tokens
  std::unordered_map<TokenId, std::uint32_t> window_counts_;  // how often each stands there
  std::unordered_map<TokenId, std::uint32_t> generated_;
  std::vector<float> adjusted_, selection_;
  std::vector<Candidate> candidates_;
  double candidates_mass_ = 0;  // weights of candidates_ and of those that gather() left out
};

}  // namespace drystone

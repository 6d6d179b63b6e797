#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/logits.h"
#include "engine/portable_math.h"

namespace drystone {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint32_t kHeapMax = 1024;

// Order of preference: the higher logit, of equal ones the lower id.
constexpr auto kBefore = [](const auto& a, const auto& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

// Sorts only as much of `items` as is looked at: hands them to `take` in order until it returns
// false, then drops the rest.
template <typename Item, typename Before, typename Take>
void keep_sorted_prefix(std::vector<Item>& items, Before before, Take take) {
  std::size_t sorted = 0;
  for (std::size_t batch = 128; sorted < items.size(); batch *= 4) {
    const std::size_t end = std::min(items.size(), sorted + batch);
    const auto at = [&](std::size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < items.size()) std::nth_element(at(sorted), at(end - 1), items.end(), before);
    std::sort(at(sorted), at(end), before);
    for (; sorted < end; ++sorted) {
      if (!take(items[sorted])) {
        items.resize(sorted + 1);
        return;
      }
    }
  }
}

Error out_of_range(std::string_view option, double value, std::string_view expected) {
  return Error(Errc::invalid_argument,
               fmt::format("sampling option {} is {}, expected {}", option, value, expected));
}

}  // namespace

Result<Sampler> Sampler::create(const SamplingOptions& options, std::uint32_t vocab) {
  const auto within = [](float value, float low, float high) {
    return value >= low && value <= high;
  };  // false for NaN
  if (!within(options.temperature, 0, 100))
    return out_of_range("temperature", options.temperature, "0 to 100");
  if (!within(options.top_p, 0, 1)) return out_of_range("top_p", options.top_p, "0 to 1");
  if (!within(options.min_p, 0, 1)) return out_of_range("min_p", options.min_p, "0 to 1");
  if (!within(options.typical_p, 0, 1))
    return out_of_range("typical_p", options.typical_p, "0 to 1");
  if (!within(options.repetition_penalty, 0.01f, 100)) {
    return out_of_range("repetition_penalty", options.repetition_penalty, "0.01 to 100");
  }
  if (!within(options.frequency_penalty, -100, 100)) {
    return out_of_range("frequency_penalty", options.frequency_penalty, "-100 to 100");
  }
  if (!within(options.presence_penalty, -100, 100)) {
    return out_of_range("presence_penalty", options.presence_penalty, "-100 to 100");
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || static_cast<std::uint32_t>(id) >= vocab) {
      return out_of_range("logit_bias id", id, fmt::format("0 to {}", vocab - 1));
    }
    if (!(bias < 1e6f)) return out_of_range("logit_bias", bias, "a number below a million");
  }
  return Sampler(options, vocab);
}

Sampler::Sampler(const SamplingOptions& options, std::uint32_t vocab)
    : options_(options), vocab_(vocab), rng_(options.seed) {}

void Sampler::observe_prompt(std::span<const TokenId> prompt) {
  const std::size_t count = std::min<std::size_t>(prompt.size(), options_.penalty_window);
  for (const TokenId id : prompt.last(count)) observe(id);
}

void Sampler::observe(TokenId id) {
  if (options_.penalty_window == 0) return;
  window_.push_back(id);
  ++window_counts_[id];
  if (window_.size() <= options_.penalty_window) return;
  const auto oldest = window_counts_.find(window_.front());
  window_.pop_front();
  if (--oldest->second == 0) window_counts_.erase(oldest);
}

// The logits with bias and penalties; the given ones where nothing changes.
std::span<const float> Sampler::adjust(std::span<const float> logits,
                                       std::span<const std::uint64_t> allowed) {
  const bool repetition = options_.repetition_penalty != 1 && !window_.empty();
  const bool counts =
      (options_.frequency_penalty != 0 || options_.presence_penalty != 0) && !generated_.empty();
  if (options_.logit_bias.empty() && !repetition && !counts && allowed.empty()) return logits;
  adjusted_.assign(logits.begin(), logits.end());
  for (const auto& [id, bias] : options_.logit_bias)
    adjusted_[static_cast<std::size_t>(id)] += bias;
  const auto at = [&](TokenId id) -> float* {  // a prompt may hold ids that have no logit
    return id >= 0 && static_cast<std::uint32_t>(id) < vocab_
               ? &adjusted_[static_cast<std::size_t>(id)]
               : nullptr;
  };
  if (repetition) {
    for (const auto& [id, count] : window_counts_) {
      float* logit = at(id);
      if (logit == nullptr) continue;
      *logit =
          *logit > 0 ? *logit / options_.repetition_penalty : *logit * options_.repetition_penalty;
    }
  }
  if (counts) {
    for (const auto& [id, count] : generated_) {
      *at(id) -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
    }
  }
  for (std::size_t word = 0; word < allowed.size(); ++word) {
    if (allowed[word] == ~std::uint64_t{0}) continue;
    const std::size_t end = std::min<std::size_t>(64 * word + 64, vocab_);
    for (std::size_t id = 64 * word; id < end; ++id)
      if ((allowed[word] >> (id % 64) & 1) == 0) adjusted_[id] = -kInfinity;
  }
  return adjusted_;
}

Result<Sampled> Sampler::sample(std::span<const float> logits,
                                std::optional<std::uint32_t> top_logprobs,
                                std::span<const std::uint64_t> allowed) {
  CHECK(logits.size() == vocab_, logits.size(), vocab_);
  CHECK(allowed.empty() || allowed.size() == (vocab_ + 63) / 64, allowed.size(), vocab_);
  if (top_logprobs.value_or(0) > kTopLogprobsMax) {
    return out_of_range("top_logprobs", *top_logprobs, fmt::format("at most {}", kTopLogprobsMax));
  }
  const Highest model = find_highest(logits);
  if (model.has_nan || !std::isfinite(model.logit)) {
    return Error(
        Errc::corrupt,
        fmt::format("the model's logits hold no usable number (highest {}{}): its file is damaged, "
                    "or its numbers overflow in this precision",
                    model.logit, model.has_nan ? ", some not a number" : ""));
  }
  const std::span<const float> adjusted = adjust(logits, allowed);
  const Highest highest = adjusted.data() == logits.data() ? model : find_highest(adjusted);
  if (!std::isfinite(highest.logit)) {
    return Error(Errc::invalid_argument,
                 allowed.empty()
                     ? "logit_bias leaves no token to choose"
                     : "the constraint on the answer, and logit_bias, leave no token to "
                       "choose");
  }
  Sampled sampled = {.id = options_.temperature == 0 ? highest.id : draw(adjusted, highest.logit),
                     .logprob = 0,
                     .top = {}};
  if (top_logprobs) add_logprobs(logits, model.logit, *top_logprobs, sampled);
  observe(sampled.id);
  ++generated_[sampled.id];
  return sampled;
}

void Sampler::follow(TokenId id) {
  if (options_.temperature != 0) rng_.uniform_double();  // as pick() does, once for each token
  observe(id);
  ++generated_[id];
}

TokenId Sampler::draw(std::span<const float> logits, float max) {
  gather(logits, max);
  if (options_.typical_p < 1) keep_typical();
  if (options_.top_p < 1) keep_top_p();
  if (options_.min_p > 0) keep_min_p();
  return pick(weigh(options_.temperature));
}

// Fills candidates_ with what can survive top-k and the first filter behind it.
void Sampler::gather(std::span<const float> logits, float max) {
  candidates_.clear();
  candidates_mass_ = 0;
  if (options_.top_k > kHeapMax && options_.top_k < vocab_) {
    gather_large_top_k(logits);
  } else if (options_.top_k > 0 && options_.top_k < vocab_) {
    gather_top_k(logits);
  } else if (options_.typical_p >= 1 && options_.top_p < 1) {
    gather_for_top_p(logits, max);
    return;
  } else {
    const bool min_p_alone = options_.typical_p >= 1 && options_.min_p > 0;
    const float lowest =
        min_p_alone ? max + static_cast<float>(portable_log(options_.min_p)) : -kInfinity;
    for (std::uint32_t i = 0; i < vocab_; ++i) {
      if (logits[i] >= lowest && logits[i] > -kInfinity)
        candidates_.push_back({logits[i], static_cast<TokenId>(i), 0});
    }
  }
}

// Of many tokens the worst one that stays is found first; then they are taken in the order of their
// ids.
void Sampler::gather_large_top_k(std::span<const float> logits) {
  selection_.assign(logits.begin(), logits.end());
  const auto last = selection_.begin() + static_cast<std::ptrdiff_t>(options_.top_k - 1);
  std::nth_element(selection_.begin(), last, selection_.end(), std::greater<>());
  const float lowest = *last;
  auto equals = static_cast<std::size_t>(std::count(selection_.begin(), last + 1, lowest));
  for (std::uint32_t i = 0; i < vocab_; ++i) {
    if (logits[i] < lowest || logits[i] == -kInfinity) continue;
    if (logits[i] == lowest && equals-- == 0) {
      ++equals;
      continue;
    }
    candidates_.push_back({logits[i], static_cast<TokenId>(i), 0});
  }
}

// A heap of the best so far, the worst of them in front: nearly all tokens cost one comparison.
void Sampler::gather_top_k(std::span<const float> logits) {
  const auto worse_last = [](const Candidate& a, const Candidate& b) { return kBefore(a, b); };
  for (std::uint32_t i = 0; i < vocab_; ++i) {
    const Candidate candidate = {logits[i], static_cast<TokenId>(i), 0};
    if (candidates_.size() == options_.top_k) {
      if (!(candidate.logit > candidates_.front().logit))
        continue;  // of equals the earlier id stays
      std::pop_heap(candidates_.begin(), candidates_.end(), worse_last);
      candidates_.back() = candidate;
    } else {
      if (candidate.logit == -kInfinity) continue;
      candidates_.push_back(candidate);
    }
    std::push_heap(candidates_.begin(), candidates_.end(), worse_last);
  }
  std::sort(candidates_.begin(), candidates_.end(), kBefore);
}

// Takes the tokens down to the range where top-p is reached, and one range more for rounding.
void Sampler::gather_for_top_p(std::span<const float> logits, float max) {
  constexpr std::size_t kBlock = 64;
  MassByDistance mass;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const auto block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    float weights[kBlock];  // apart from the sums, so that the compiler computes several at once
    std::int32_t ranges[kBlock];
    for (std::size_t i = 0; i < block.size(); ++i) {
      weights[i] = portable_exp(block[i] - max);
      ranges[i] = MassByDistance::range_of(max - block[i]);
    }
    for (std::size_t i = 0; i < block.size(); ++i) mass.add(ranges[i], weights[i]);
  }
  candidates_mass_ = mass.total();
  const std::int32_t border = mass.reaches(candidates_mass_ * options_.top_p).range;
  const float lowest = MassByDistance::lower_bound(max, border + 1);
  for (std::uint32_t i = 0; i < vocab_; ++i) {
    if (logits[i] >= lowest && logits[i] > -kInfinity)
      candidates_.push_back({logits[i], static_cast<TokenId>(i), 0});
  }
}

float Sampler::best_logit() const {
  float best = -kInfinity;
  for (const Candidate& candidate : candidates_) best = std::max(best, candidate.logit);
  return best;
}

// Weights of candidates_ relative to the best of them; returns their sum.
double Sampler::weigh(float temperature) {
  const float max = best_logit();
  double sum = 0;
  for (Candidate& candidate : candidates_) {
    candidate.weight = portable_exp((candidate.logit - max) / temperature);
    sum += candidate.weight;
  }
  return sum;
}

// Locally typical sampling (Meister et al. 2022): tokens whose surprise is nearest to the expected
// one.
void Sampler::keep_typical() {
  const double sum = weigh(1), log_sum = portable_log(sum);
  const float max = best_logit();
  const auto surprise = [&](const Candidate& c) {
    return log_sum - (static_cast<double>(c.logit) - max);
  };
  double entropy = 0;
  for (const Candidate& candidate : candidates_)
    entropy += candidate.weight / sum * surprise(candidate);
  const auto nearer = [&](const Candidate& a, const Candidate& b) {
    const double distance_a = std::abs(surprise(a) - entropy),
                 distance_b = std::abs(surprise(b) - entropy);
    return distance_a < distance_b || (distance_a == distance_b && a.id < b.id);
  };
  double mass = 0;
  keep_sorted_prefix(candidates_, nearer, [&](const Candidate& candidate) {
    mass += candidate.weight;
    return mass <= sum * options_.typical_p;
  });
}

// The fewest best tokens that reach top_p. Not sorted: only the range of logits where the sum
// passes it is looked at token by token.
void Sampler::keep_top_p() {
  double total = weigh(1);
  if (candidates_mass_ > 0) total = candidates_mass_;
  const double wanted = total * options_.top_p;
  const float max = best_logit();
  const auto range_of = [&](const Candidate& candidate) {
    return MassByDistance::range_of(max - candidate.logit);
  };
  MassByDistance masses;
  for (const Candidate& candidate : candidates_) masses.add(range_of(candidate), candidate.weight);
  auto [range, mass] = masses.reaches(wanted);
  std::vector<Candidate> border;
  for (const Candidate& candidate : candidates_) {
    if (range_of(candidate) == range) border.push_back(candidate);
  }
  if (border.empty()) return;  // rounding: all of them together do not quite reach it
  std::sort(border.begin(), border.end(), kBefore);
  std::size_t last = 0;  // the best one stays even with top_p = 0
  for (mass += border[0].weight; mass < wanted && last + 1 < border.size();)
    mass += border[++last].weight;
  std::erase_if(candidates_, [&, range = range](const Candidate& candidate) {
    const std::int32_t its_range = range_of(candidate);
    return its_range > range || (its_range == range && kBefore(border[last], candidate));
  });
}

void Sampler::keep_min_p() {
  const float max = best_logit();
  const float lowest = max + static_cast<float>(portable_log(options_.min_p));
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.logit < lowest; });
}

TokenId Sampler::pick(double total) {
  CHECK(!candidates_.empty());
  const double target = rng_.uniform_double() * total;
  double sum = 0;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
  }
  return candidates_.back().id;  // rounding
}

void Sampler::add_logprobs(std::span<const float> logits, float max, std::uint32_t count,
                           Sampled& sampled) const {
  const double log_sum = max + portable_log(softmax_sum(logits, max));
  const auto logprob = [&](float logit) { return static_cast<float>(logit - log_sum); };
  sampled.logprob = logprob(logits[static_cast<std::size_t>(sampled.id)]);
  std::vector<Candidate> best;
  for (std::uint32_t i = 0; count > 0 && i < vocab_; ++i) {
    if (best.size() == count && !(logits[i] > best.back().logit)) continue;
    const Candidate candidate = {logits[i], static_cast<TokenId>(i), 0};
    if (best.size() == count) best.pop_back();
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, kBefore), candidate);
  }
  for (const Candidate& candidate : best)
    sampled.top.push_back({candidate.id, logprob(candidate.logit)});
}

}  // namespace drystone

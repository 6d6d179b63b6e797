#include "engine/ngram_draft.h"

#include <algorithm>

namespace drystone {

namespace {
// Of a sequence that never repeats itself, a guess now and then still sees when it begins to.
constexpr std::uint32_t kSilentMax = 32;
}  // namespace

std::uint64_t NgramDraft::key(std::size_t end) const {
  std::uint64_t hash = 0;
  for (std::size_t i = end - kLength; i < end; ++i)
    hash = (hash ^ static_cast<std::uint32_t>(tokens_[i])) * 0x9e3779b97f4a7c15u;
  return hash;
}

void NgramDraft::push(TokenId token) {
  // What the last tokens are followed by is known only now.
  if (tokens_.size() >= kLength)
    last_end_[key(tokens_.size())] = static_cast<std::uint32_t>(tokens_.size());
  tokens_.push_back(token);
  ++silent_;
}

std::vector<TokenId> NgramDraft::guess(std::uint32_t limit) {
  if (tokens_.size() < kLength || (length_ == 0 && silent_ < kSilentMax)) return {};
  const auto at = last_end_.find(key(tokens_.size()));
  if (at == last_end_.end()) return {};
  const std::size_t begin = at->second;
  const std::size_t count =
      std::min<std::size_t>({std::max(length_, 1u), limit, tokens_.size() - begin});
  silent_ = 0;
  return {tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
          tokens_.begin() + static_cast<std::ptrdiff_t>(begin + count)};
}

void NgramDraft::judge(std::uint32_t guessed, std::uint32_t right) {
  if (right == guessed)
    length_ = std::min(kTokensMax, std::max(length_ * 2, 2u));
  else
    length_ = right;
}

}  // namespace drystone

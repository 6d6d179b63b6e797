#include "engine/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

PagePool::Row Sequence::row_of(SequenceToken token) const {
  constexpr PagePool::Row kGenerated = 1u << 31;
  const bool marked = token.kind == RowKind::generated && !kinds_agree_;
  return static_cast<PagePool::Row>(token.id) | (marked ? kGenerated : 0);
}

std::uint32_t Sequence::reuse(std::span<const SequenceToken> tokens) {
  const std::uint32_t page_tokens = pool_.page_tokens(), before = size();
  if (before % page_tokens != 0) return 0;
  std::vector<PagePool::Row> rows(page_tokens);
  while (tokens.size() > std::size_t{size()} + page_tokens) {
    std::ranges::transform(tokens.subspan(size(), page_tokens), rows.begin(),
                           [&](SequenceToken token) { return row_of(token); });
    const auto parent = prefixes_.empty() ? PagePool::kNoPrefix : prefixes_.back();
    const auto known = pool_.find(parent, rows, salt_);
    if (!known) break;
    // What was reserved there is not needed.
    const std::uint32_t at = size() / page_tokens;
    if (at < pages_.size())
      pool_.release(std::exchange(pages_[at], known->page));
    else
      pages_.push_back(known->page);
    prefixes_.push_back(known->prefix);
    rows_.insert(rows_.end(), rows.begin(), rows.end());
  }
  return size() - before;
}

bool Sequence::reserve(std::uint32_t positions) {
  const std::uint32_t page_tokens = pool_.page_tokens();
  const std::uint32_t wanted = (positions + page_tokens - 1) / page_tokens;
  const auto held = static_cast<std::uint32_t>(pages_.size());
  if (wanted <= held) return true;
  if (wanted - held > pool_.available()) return false;
  while (pages_.size() < wanted) pages_.push_back(*pool_.take());
  return true;
}

void Sequence::append(std::span<const SequenceToken> tokens) {
  const std::size_t page_tokens = pool_.page_tokens();
  CHECK((rows_.size() + tokens.size() + page_tokens - 1) / page_tokens <= pages_.size(),
        rows_.size(), tokens.size(), pages_.size());
  for (const SequenceToken token : tokens) {
    rows_.push_back(row_of(token));
    if (rows_.size() % page_tokens != 0) continue;
    const std::size_t page = rows_.size() / page_tokens - 1;
    const auto parent = page == 0 ? PagePool::kNoPrefix : prefixes_[page - 1];
    prefixes_.push_back(
        pool_.publish(pages_[page], parent, std::span(rows_).last(page_tokens), salt_));
  }
}

void Sequence::truncate(std::uint32_t positions) {
  const std::uint32_t page_tokens = pool_.page_tokens();
  // Within a known page nothing can be written any more: others may use it.
  CHECK(positions >= size() || positions % page_tokens == 0, positions, size());
  if (positions < size()) rows_.resize(positions);
  const std::uint32_t wanted = (size() + page_tokens - 1) / page_tokens;
  for (; pages_.size() > wanted; pages_.pop_back()) pool_.release(pages_.back());
  if (prefixes_.size() > size() / page_tokens) prefixes_.resize(size() / page_tokens);
}

}  // namespace drystone

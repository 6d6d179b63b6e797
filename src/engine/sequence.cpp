#include "engine/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

PageRow Sequence::row_of(SequenceToken token) const {
  constexpr PageRow kGenerated = 1u << 31;
  const bool marked = token.kind == RowKind::generated && !kinds_agree_;
  return static_cast<PageRow>(token.id) | (marked ? kGenerated : 0);
}

std::optional<PageKey> Sequence::next_page(std::span<const SequenceToken> tokens,
                                           std::vector<PageRow>& rows) const {
  const std::uint32_t page_tokens = pool_.page_tokens();
  if (size() % page_tokens != 0 || tokens.size() <= std::size_t{size()} + page_tokens)
    return std::nullopt;
  rows.resize(page_tokens);
  std::ranges::transform(tokens.subspan(size(), page_tokens), rows.begin(),
                         [&](SequenceToken token) { return row_of(token); });
  return PageKey{prefixes_.empty() ? kNoPrefix : prefixes_.back(), rows, salt_};
}

void Sequence::take_over(const PageKey& key, PrefixId prefix) {
  prefixes_.push_back(prefix);
  rows_.insert(rows_.end(), key.rows.begin(), key.rows.end());
}

std::uint32_t Sequence::reuse(std::span<const SequenceToken> tokens) {
  const std::uint32_t before = size();
  std::vector<PageRow> rows;
  while (const auto key = next_page(tokens, rows)) {
    const auto known = pool_.find(*key);
    if (!known) break;
    // What was reserved there is not needed.
    const std::uint32_t at = size() / pool_.page_tokens();
    if (at < pages_.size())
      pool_.release(std::exchange(pages_[at], known->page));
    else
      pages_.push_back(known->page);
    take_over(*key, known->prefix);
  }
  return size() - before;
}

bool Sequence::is_stored(std::span<const SequenceToken> tokens) const {
  std::vector<PageRow> rows;
  const auto key = next_page(tokens, rows);
  return key && size() / pool_.page_tokens() < pages_.size() && pool_.is_stored(*key);
}

std::uint32_t Sequence::restore(std::span<const SequenceToken> tokens) {
  std::vector<PageRow> rows;
  const auto key = next_page(tokens, rows);
  CHECK(key, size(), tokens.size());
  const auto prefix = pool_.restore(pages_[size() / pool_.page_tokens()], *key);
  if (!prefix) return 0;
  take_over(*key, *prefix);
  return pool_.page_tokens();
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
    const auto parent = page == 0 ? kNoPrefix : prefixes_[page - 1];
    prefixes_.push_back(
        pool_.publish(pages_[page], {parent, std::span(rows_).last(page_tokens), salt_}));
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

#include "engine/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

bool Sequence::reserve(std::uint32_t positions) {
  const std::uint32_t wanted = (positions + page_tokens_ - 1) / page_tokens_;
  const auto held = static_cast<std::uint32_t>(page_table_.size());
  if (wanted <= held) return true;
  if (wanted - held > allocator_.free_pages()) return false;
  while (page_table_.size() < wanted) page_table_.push_back(*allocator_.allocate());
  return true;
}

void Sequence::append(std::span<const TokenId> ids, RowKind kind) {
  CHECK((ids_.size() + ids.size() + page_tokens_ - 1) / page_tokens_ <= page_table_.size(),
        ids_.size(), ids.size(), page_table_.size());
  if (kind == RowKind::prompt && prompt_rows_ == ids_.size())
    prompt_rows_ += static_cast<std::uint32_t>(ids.size());
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void Sequence::truncate(std::uint32_t positions) {
  if (positions < ids_.size()) ids_.resize(positions);
  prompt_rows_ = std::min(prompt_rows_, size());
  const std::uint32_t wanted = (size() + page_tokens_ - 1) / page_tokens_;
  for (; page_table_.size() > wanted; page_table_.pop_back())
    allocator_.release(page_table_.back());
}

std::uint32_t Sequence::common_prompt_prefix(std::span<const TokenId> prompt) const {
  const std::size_t limit = std::min<std::size_t>(prompt_rows_, prompt.size());
  const auto differs = std::mismatch(
      prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(limit), ids_.begin());
  return static_cast<std::uint32_t>(differs.first - prompt.begin());
}

}  // namespace drystone

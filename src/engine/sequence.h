#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/device.h"
#include "engine/page_allocator.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// The tokens whose keys and values stand in the cache, and the pages that hold them.
class Sequence {
 public:
  // `pages` is borrowed for the sequence's life.
  Sequence(PageAllocator& pages, std::uint32_t page_tokens)
      : allocator_(pages), page_tokens_(page_tokens) {}
  ~Sequence() { truncate(0); }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }
  std::span<const std::uint32_t> pages() const { return page_table_; }

  // Makes sure that pages for `positions` positions are held. False when there are too few; nothing
  // changes then.
  bool reserve(std::uint32_t positions);
  // The cache now holds these tokens after the others.
  void append(std::span<const TokenId> ids, RowKind kind);
  // Forgets all but the first `positions` tokens and gives their pages back.
  void truncate(std::uint32_t positions);

  // How many tokens of `prompt` the cache holds already as prompt rows. Generated rows do not
  // count: as part of a prompt their bits would differ.
  std::uint32_t common_prompt_prefix(std::span<const TokenId> prompt) const;

 private:
  PageAllocator& allocator_;
  const std::uint32_t page_tokens_;
  std::vector<TokenId> ids_;
  std::uint32_t prompt_rows_ = 0;  // the first so many tokens were prompt rows
  std::vector<std::uint32_t> page_table_;
};

}  // namespace drystone

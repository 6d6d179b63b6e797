#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/device.h"
#include "engine/page_pool.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// A token and the kind of row that it is computed as.
struct SequenceToken {
  TokenId id;
  RowKind kind;
};

// The tokens of one request whose keys and values stand in the cache, and the pages that hold them.
// Its full pages become known to the pool, and it takes over known ones instead of computing them.
class Sequence {
 public:
  // `pool` is borrowed for the sequence's life. `kinds_agree`: whether rows of both kinds have the
  // same bits, so that an answer's pages serve the prompt that repeats it. `salt` separates
  // sequences that must not share pages.
  Sequence(PagePool& pool, bool kinds_agree, std::string salt = {})
      : pool_(pool), kinds_agree_(kinds_agree), salt_(std::move(salt)) {}
  ~Sequence() { truncate(0); }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  std::uint32_t size() const { return static_cast<std::uint32_t>(rows_.size()); }
  std::span<const std::uint32_t> pages() const { return pages_; }
  std::string_view salt() const { return salt_; }

  // Takes over known pages as long as they hold tokens[size()...], `tokens` being the whole
  // sequence from its first token. Leaves at least the last token to be computed. Returns how many
  // tokens it gained.
  std::uint32_t reuse(std::span<const SequenceToken> tokens);
  // Whether the second tier holds the page after size(), and a page is reserved for it. After
  // reuse(), which looks in memory only.
  bool is_stored(std::span<const SequenceToken> tokens) const;
  // Brings that page back. Returns how many tokens it gained: 0 when it could not be read. Blocks
  // for reading a page.
  std::uint32_t restore(std::span<const SequenceToken> tokens);
  // Makes sure that pages for `positions` positions are held. False when there are too few; nothing
  // changes then.
  bool reserve(std::uint32_t positions);
  // The cache now holds these tokens after the others.
  void append(std::span<const SequenceToken> tokens);
  // Forgets all but the first `positions` tokens and gives their pages back, the last first.
  void truncate(std::uint32_t positions);

 private:
  PageRow row_of(SequenceToken token) const;
  // Of the page after size(), whose rows it writes to `rows`; nullopt when there is none that can
  // be taken over.
  std::optional<PageKey> next_page(std::span<const SequenceToken> tokens,
                                   std::vector<PageRow>& rows) const;
  void take_over(const PageKey& key, PrefixId prefix);

  PagePool& pool_;
  const bool kinds_agree_;
  const std::string salt_;
  std::vector<PageRow> rows_;
  std::vector<std::uint32_t> pages_;
  std::vector<PrefixId> prefixes_;  // of the full pages
};

}  // namespace drystone

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/number_list.h"
#include "engine/page_index.h"
#include "engine/page_tier.h"

namespace drystone {

// The KV pages of a stage: who uses each, and which full ones can be found again by the tokens that
// they and the pages before them hold (the prefix cache). A page that nobody uses keeps what it
// holds until another needs it: the one unused for longest goes first, to the second tier if there
// is one. Never more pages than there are. Not thread-safe.
class PagePool {
 public:
  // `page_tokens`: positions of a page. `tier` is borrowed for the pool's life; null: none.
  PagePool(std::uint32_t pages, std::uint32_t page_tokens, PageTier* tier = nullptr);

  std::uint32_t page_tokens() const { return page_tokens_; }
  std::uint32_t pages() const { return static_cast<std::uint32_t>(users_.size()); }
  // Pages that take() can still hand out: empty ones, and known ones that nobody uses.
  std::uint32_t available() const { return unused_.size(); }
  std::uint32_t in_use() const { return pages() - available(); }

  // An empty page with one user; nullopt when all are in use.
  std::optional<std::uint32_t> take();
  void release(std::uint32_t page);  // one user less

  struct Known {
    std::uint32_t page;
    PrefixId prefix;  // of the chain that ends with it
  };
  // The page of memory that holds `key`, with one user more.
  std::optional<Known> find(const PageKey& key);
  // Makes a full page of the caller known. When such a page is known already, that one stays the
  // known one; the caller keeps its own.
  PrefixId publish(std::uint32_t page, const PageKey& key);

  // Whether the tier holds `key`.
  bool is_stored(const PageKey& key) const;
  // Fills a page of the caller with `key`, which find() has not found, from the tier, and makes it
  // known. Blocks for reading a page. nullopt: it is not there, or could not be read.
  std::optional<PrefixId> restore(std::uint32_t page, const PageKey& key);
  // Copies to the tier one of the pages that go next, so that they go without a wait. False: all of
  // them are there, or the tier is busy.
  bool store_ahead();

 private:
  static constexpr std::uint32_t kNone = NumberList::kNone;

  const std::uint32_t page_tokens_;
  PageTier* const tier_;
  const std::uint32_t ahead_;         // pages that store_ahead() looks after
  std::vector<std::uint32_t> users_;  // of each page
  NumberList unused_;                 // the first goes first
  PageIndex known_;
  PrefixId last_prefix_ = kNoPrefix;
};

}  // namespace drystone

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace drystone {

// The KV pages of a stage: who uses each, and which full ones can be found again by the tokens that
// they and the pages before them hold (the prefix cache). A page that nobody uses keeps what it
// holds until another needs it: the one unused for longest goes first. Never more pages than there
// are. Not thread-safe.
class PagePool {
 public:
  // Names a chain of full pages by its last one; kNoPrefix is the empty chain. Never used twice.
  using PrefixId = std::uint64_t;
  static constexpr PrefixId kNoPrefix = 0;

  // What one position of a page holds: a token, and whatever else makes its keys and values what
  // they are.
  using Row = std::uint32_t;

  // `page_tokens`: positions of a page.
  PagePool(std::uint32_t pages, std::uint32_t page_tokens);

  std::uint32_t page_tokens() const { return page_tokens_; }
  std::uint32_t pages() const { return static_cast<std::uint32_t>(pages_.size()); }
  // Pages that take() can still hand out: empty ones, and known ones that nobody uses.
  std::uint32_t available() const { return available_; }
  std::uint32_t in_use() const { return pages() - available_; }

  // An empty page with one user; nullopt when all are in use.
  std::optional<std::uint32_t> take();
  void release(std::uint32_t page);  // one user less

  struct Known {
    std::uint32_t page;
    PrefixId prefix;  // of the chain that ends with it
  };
  // The page that holds `rows` (page_tokens() of them) after the chain `parent`, with one user
  // more. `salt` separates chains that begin alike: it counts where `parent` is kNoPrefix.
  std::optional<Known> find(PrefixId parent, std::span<const Row> rows, std::string_view salt);
  // Makes a full page of the caller known. When such a page is known already, that one stays the
  // known one; the caller keeps its own.
  PrefixId publish(std::uint32_t page, PrefixId parent, std::span<const Row> rows,
                   std::string_view salt);

 private:
  static constexpr std::uint32_t kNone = ~0u;
  struct Page {
    std::uint32_t users = 0;
    PrefixId prefix = kNoPrefix, parent = kNoPrefix;  // of a known page
    std::vector<Row> rows;
    std::string salt;
    std::uint32_t before = kNone, after = kNone;  // among the unused
  };

  std::uint64_t key(PrefixId parent, std::span<const Row> rows, std::string_view salt) const;
  std::uint32_t find_page(PrefixId parent, std::span<const Row> rows, std::string_view salt) const;
  void forget(std::uint32_t page);
  void put_unused(std::uint32_t page);   // at the end that goes last, if known; else first
  void take_unused(std::uint32_t page);  // out of the list

  const std::uint32_t page_tokens_;
  std::vector<Page> pages_;
  std::uint32_t first_ = kNone, last_ = kNone;  // of the unused; the first goes first
  std::uint32_t available_ = 0;
  PrefixId last_prefix_ = kNoPrefix;
  std::unordered_multimap<std::uint64_t, std::uint32_t> known_;  // key() -> page
};

}  // namespace drystone

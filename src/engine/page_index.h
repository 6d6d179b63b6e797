#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace drystone {

// Names a chain of full pages by its last one; kNoPrefix is the empty chain. Never used twice.
using PrefixId = std::uint64_t;
constexpr PrefixId kNoPrefix = 0;

// What one position of a page holds: a token, and whatever else makes its keys and values what they
// are.
using PageRow = std::uint32_t;

// What makes a full page what it is: its rows, after those of the chain `parent`. `salt` separates
// chains that begin alike: it counts where `parent` is kNoPrefix.
struct PageKey {
  PrefixId parent = kNoPrefix;
  std::span<const PageRow> rows;
  std::string_view salt;
};

// Which of the numbers [0, numbers), pages of memory or slots of a file, holds which full page.
// Not thread-safe.
class PageIndex {
 public:
  explicit PageIndex(std::uint32_t numbers) : entries_(numbers) {}

  // Rows and salt are compared one by one; hashes only find candidates.
  std::optional<std::uint32_t> find(const PageKey& key) const;
  PrefixId prefix(std::uint32_t number) const { return entries_[number].prefix; }  // or kNoPrefix
  PageKey key(std::uint32_t number) const;  // valid until remove()

  // `number` names nothing yet, and no other number holds `key`, which is copied.
  void add(std::uint32_t number, PrefixId prefix, const PageKey& key);
  void remove(std::uint32_t number);  // if it names anything

 private:
  struct Entry {
    PrefixId prefix = kNoPrefix, parent = kNoPrefix;
    std::vector<PageRow> rows;
    std::string salt;
  };
  std::vector<Entry> entries_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> numbers_;  // by the hash of the key
};

}  // namespace drystone

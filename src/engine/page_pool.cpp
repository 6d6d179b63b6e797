#include "engine/page_pool.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

PagePool::PagePool(std::uint32_t pages, std::uint32_t page_tokens)
    : page_tokens_(page_tokens), pages_(pages) {
  for (std::uint32_t page = pages; page-- > 0;) put_unused(page);
}

std::optional<std::uint32_t> PagePool::take() {
  if (first_ == kNone) return std::nullopt;
  const std::uint32_t page = first_;
  take_unused(page);
  forget(page);
  pages_[page].users = 1;
  return page;
}

void PagePool::release(std::uint32_t page) {
  CHECK(pages_[page].users > 0, page);
  if (--pages_[page].users == 0) put_unused(page);
}

std::optional<PagePool::Known> PagePool::find(PrefixId parent, std::span<const Row> rows,
                                              std::string_view salt) {
  const std::uint32_t page = find_page(parent, rows, salt);
  if (page == kNone) return std::nullopt;
  if (pages_[page].users++ == 0) take_unused(page);
  return Known{page, pages_[page].prefix};
}

PagePool::PrefixId PagePool::publish(std::uint32_t page, PrefixId parent, std::span<const Row> rows,
                                     std::string_view salt) {
  CHECK(rows.size() == page_tokens_ && pages_[page].users > 0, page, rows.size());
  if (const std::uint32_t same = find_page(parent, rows, salt); same != kNone)
    return pages_[same].prefix;
  forget(page);
  Page& known = pages_[page];
  known.prefix = ++last_prefix_;
  known.parent = parent;
  known.rows.assign(rows.begin(), rows.end());
  known.salt = parent == kNoPrefix ? std::string(salt) : std::string();
  known_.emplace(key(parent, rows, salt), page);
  return known.prefix;
}

// Only spreads: find_page() compares what it finds.
std::uint64_t PagePool::key(PrefixId parent, std::span<const Row> rows,
                            std::string_view salt) const {
  std::uint64_t hash = parent * 0x9e3779b97f4a7c15u + 1;
  const auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  };
  for (const Row row : rows) mix(row);
  if (parent == kNoPrefix)
    for (const char c : salt) mix(static_cast<unsigned char>(c));
  return hash;
}

std::uint32_t PagePool::find_page(PrefixId parent, std::span<const Row> rows,
                                  std::string_view salt) const {
  if (rows.size() != page_tokens_) return kNone;
  const auto [begin, end] = known_.equal_range(key(parent, rows, salt));
  for (auto at = begin; at != end; ++at) {
    const Page& page = pages_[at->second];
    if (page.parent == parent && std::ranges::equal(page.rows, rows) &&
        (parent != kNoPrefix || page.salt == salt))
      return at->second;
  }
  return kNone;
}

void PagePool::forget(std::uint32_t number) {
  Page& page = pages_[number];
  if (page.prefix == kNoPrefix) return;
  const auto [begin, end] = known_.equal_range(key(page.parent, page.rows, page.salt));
  const auto at = std::find_if(begin, end, [&](const auto& one) { return one.second == number; });
  CHECK(at != end, number);
  known_.erase(at);
  page.prefix = kNoPrefix;
}

void PagePool::put_unused(std::uint32_t number) {
  Page& page = pages_[number];
  ++available_;
  const bool keep = page.prefix != kNoPrefix;
  page.before = keep ? last_ : kNone;
  page.after = keep ? kNone : first_;
  (page.before == kNone ? first_ : pages_[page.before].after) = number;
  (page.after == kNone ? last_ : pages_[page.after].before) = number;
}

void PagePool::take_unused(std::uint32_t number) {
  Page& page = pages_[number];
  --available_;
  (page.before == kNone ? first_ : pages_[page.before].after) = page.after;
  (page.after == kNone ? last_ : pages_[page.after].before) = page.before;
  page.before = page.after = kNone;
}

}  // namespace drystone

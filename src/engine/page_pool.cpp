#include "engine/page_pool.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {
namespace {

// By default a quarter of the pages is a context: what one request can take at once. At most half
// of the tier, or what is stored ahead would push itself out.
std::uint32_t stored_ahead(std::uint32_t pages, const PageTier* tier) {
  return tier == nullptr ? 0 : std::min((pages + 3) / 4, tier->counts().slots / 2);
}

}  // namespace

PagePool::PagePool(std::uint32_t pages, std::uint32_t page_tokens, PageTier* tier)
    : page_tokens_(page_tokens),
      tier_(tier),
      ahead_(stored_ahead(pages, tier)),
      users_(pages),
      unused_(pages),
      known_(pages) {
  for (std::uint32_t page = 0; page < pages; ++page) unused_.push_back(page);
}

std::optional<std::uint32_t> PagePool::take() {
  const std::uint32_t page = unused_.front();
  if (page == kNone) return std::nullopt;
  unused_.remove(page);
  if (const PrefixId prefix = known_.prefix(page); prefix != kNoPrefix) {
    if (tier_ != nullptr) tier_->store(prefix, known_.key(page), page);
    known_.remove(page);
  }
  users_[page] = 1;
  return page;
}

// Empty pages go first.
void PagePool::release(std::uint32_t page) {
  CHECK(users_[page] > 0, page);
  if (--users_[page] > 0) return;
  if (known_.prefix(page) == kNoPrefix)
    unused_.push_front(page);
  else
    unused_.push_back(page);
}

std::optional<PagePool::Known> PagePool::find(const PageKey& key) {
  const auto page = known_.find(key);
  if (!page) return std::nullopt;
  if (users_[*page]++ == 0) unused_.remove(*page);
  return Known{*page, known_.prefix(*page)};
}

PrefixId PagePool::publish(std::uint32_t page, const PageKey& key) {
  CHECK(key.rows.size() == page_tokens_ && users_[page] > 0, page, key.rows.size());
  if (const auto same = known_.find(key)) return known_.prefix(*same);
  known_.remove(page);
  // One that was stored, and computed again all the same, leads to the pages stored after it.
  std::optional<PrefixId> prefix;
  if (tier_ != nullptr) prefix = tier_->find(key);
  if (!prefix) prefix = ++last_prefix_;
  known_.add(page, *prefix, key);
  return *prefix;
}

bool PagePool::is_stored(const PageKey& key) const {
  return tier_ != nullptr && tier_->find(key).has_value();
}

std::optional<PrefixId> PagePool::restore(std::uint32_t page, const PageKey& key) {
  CHECK(users_[page] > 0 && known_.prefix(page) == kNoPrefix, page, known_.prefix(page));
  if (tier_ == nullptr) return std::nullopt;
  const auto prefix = tier_->restore(key, page);
  if (prefix) known_.add(page, *prefix, key);
  return prefix;
}

bool PagePool::store_ahead() {
  if (ahead_ == 0 || !tier_->has_room()) return false;
  std::uint32_t page = unused_.front();
  for (std::uint32_t i = 0; i < ahead_ && page != kNone; ++i, page = unused_.after(page))
    if (const PrefixId prefix = known_.prefix(page); prefix != kNoPrefix && !tier_->holds(prefix))
      return tier_->store(prefix, known_.key(page), page);
  return false;
}

}  // namespace drystone

#include "engine/page_index.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {
namespace {

// Only spreads: find() compares what it finds.
std::uint64_t hash_of(const PageKey& key) {
  std::uint64_t hash = key.parent * 0x9e3779b97f4a7c15u + 1;
  const auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  };
  for (const PageRow row : key.rows) mix(row);
  if (key.parent == kNoPrefix)
    for (const char c : key.salt) mix(static_cast<unsigned char>(c));
  return hash;
}

bool same(const PageKey& a, const PageKey& b) {
  return a.parent == b.parent && std::ranges::equal(a.rows, b.rows) &&
         (a.parent != kNoPrefix || a.salt == b.salt);
}

}  // namespace

std::optional<std::uint32_t> PageIndex::find(const PageKey& key) const {
  const auto [begin, end] = numbers_.equal_range(hash_of(key));
  const auto at = std::find_if(
      begin, end, [&](const auto& candidate) { return same(this->key(candidate.second), key); });
  if (at == end) return std::nullopt;
  return at->second;
}

PageKey PageIndex::key(std::uint32_t number) const {
  const Entry& entry = entries_[number];
  return {entry.parent, entry.rows, entry.salt};
}

void PageIndex::add(std::uint32_t number, PrefixId prefix, const PageKey& key) {
  Entry& entry = entries_[number];
  CHECK(prefix != kNoPrefix && entry.prefix == kNoPrefix && !find(key), number, prefix);
  entry.prefix = prefix;
  entry.parent = key.parent;
  entry.rows.assign(key.rows.begin(), key.rows.end());
  entry.salt = key.parent == kNoPrefix ? std::string(key.salt) : std::string();
  numbers_.emplace(hash_of(key), number);
}

void PageIndex::remove(std::uint32_t number) {
  if (entries_[number].prefix == kNoPrefix) return;
  const auto [begin, end] = numbers_.equal_range(hash_of(key(number)));
  const auto at = std::find_if(begin, end, [&](const auto& one) { return one.second == number; });
  CHECK(at != end, number);
  numbers_.erase(at);
  entries_[number].prefix = kNoPrefix;
}

}  // namespace drystone

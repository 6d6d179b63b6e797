#include "engine/page_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"

namespace drystone {
namespace {

using Row = PagePool::Row;

constexpr PagePool::PrefixId kNoPrefix = PagePool::kNoPrefix;

// A page in two hands would mix two answers.
TEST(PagePool, NeverHandsOutAPageInUse) {
  PagePool pool(3, 2);
  std::set<std::uint32_t> pages;
  for (int i = 0; i < 3; ++i) pages.insert(*pool.take());
  EXPECT_EQ(pages.size(), 3u);
  EXPECT_FALSE(pool.take());
  pool.release(*pages.begin());
  EXPECT_EQ(pool.take(), *pages.begin());
}

TEST(PagePool, FindsWhatWasPublishedUntilItIsNeeded) {
  PagePool pool(2, 2);
  const Row rows[] = {7, 8};
  const std::uint32_t page = *pool.take();
  const auto prefix = pool.publish(page, kNoPrefix, rows, "");
  pool.release(page);
  EXPECT_EQ(pool.available(), 2u);
  const auto found = pool.find(kNoPrefix, rows, "");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->page, page);
  EXPECT_EQ(found->prefix, prefix);
  EXPECT_FALSE(pool.find(prefix, rows, "")) << "behind another page it is another one";
  EXPECT_FALSE(pool.find(kNoPrefix, std::vector<Row>{7, 9}, ""));
  EXPECT_FALSE(pool.find(kNoPrefix, rows, "somebody else's"));
  pool.release(page);
  ASSERT_TRUE(pool.take());
  EXPECT_TRUE(pool.find(kNoPrefix, rows, "")) << "the empty page went first";
  pool.release(page);
  ASSERT_TRUE(pool.take());
  EXPECT_FALSE(pool.find(kNoPrefix, rows, ""));
}

// What was given back last is the likeliest to be asked for; of one sequence, its beginning.
TEST(PagePool, TheLongestUnusedGoesFirst) {
  PagePool pool(3, 1);
  std::vector<std::uint32_t> pages;
  for (Row row = 0; row < 3; ++row) {
    pages.push_back(*pool.take());
    pool.publish(pages.back(), kNoPrefix, {&row, 1}, "");
  }
  for (const int i : {2, 0, 1}) pool.release(pages[static_cast<std::size_t>(i)]);
  for (const int i : {2, 0, 1}) EXPECT_EQ(pool.take(), pages[static_cast<std::size_t>(i)]);
}

// Two requests that computed the same page at the same time.
TEST(PagePool, AnEqualPageDoesNotReplaceTheKnownOne) {
  PagePool pool(4, 1);
  const Row row[] = {5};
  const std::uint32_t first = *pool.take(), second = *pool.take();
  const auto prefix = pool.publish(first, kNoPrefix, row, "");
  EXPECT_EQ(pool.publish(second, kNoPrefix, row, ""), prefix);
  pool.release(second);
  EXPECT_EQ(pool.find(kNoPrefix, row, "")->page, first);
}

// Against a plain account of who holds what.
TEST(PagePool, KeepsItsAccountsThroughAnything) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    PagePool pool(8, 1);
    std::map<std::uint32_t, std::uint32_t> users;                       // of pages in use
    std::map<std::uint32_t, std::pair<PagePool::PrefixId, Row>> holds;  // published
    for (int step = 0; step < 2000; ++step) {
      const Row row = static_cast<Row>(rng.next() % 6);
      switch (rng.next() % 4) {
        case 0:
          if (const auto page = pool.take()) {
            ASSERT_FALSE(users.contains(*page));
            users[*page] = 1;
            holds.erase(*page);
          } else {
            ASSERT_EQ(users.size(), 8u);
          }
          break;
        case 1:
          if (!users.empty()) {
            const auto at = std::next(users.begin(), static_cast<long>(rng.next() % users.size()));
            pool.release(at->first);
            if (--at->second == 0) users.erase(at);
          }
          break;
        case 2:
          if (!users.empty()) {
            const auto at = std::next(users.begin(), static_cast<long>(rng.next() % users.size()));
            const bool known = std::ranges::any_of(
                holds, [&](const auto& one) { return one.second == std::pair(kNoPrefix, row); });
            if (holds.contains(at->first)) break;
            pool.publish(at->first, kNoPrefix, {&row, 1}, "");
            if (!known) holds[at->first] = {kNoPrefix, row};
          }
          break;
        default:
          if (const auto found = pool.find(kNoPrefix, {&row, 1}, "")) {
            ASSERT_EQ(holds.at(found->page), std::pair(kNoPrefix, row));
            ++users[found->page];
          }
      }
      ASSERT_EQ(pool.in_use(), users.size());
    }
  }
}

}  // namespace
}  // namespace drystone

#include "engine/page_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/rng.h"
#include "engine/test_tier.h"

namespace drystone {
namespace {

using Row = PageRow;

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
  const auto prefix = pool.publish(page, {kNoPrefix, rows, ""});
  pool.release(page);
  EXPECT_EQ(pool.available(), 2u);
  const auto found = pool.find({kNoPrefix, rows, ""});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->page, page);
  EXPECT_EQ(found->prefix, prefix);
  EXPECT_FALSE(pool.find({prefix, rows, ""})) << "behind another page it is another one";
  EXPECT_FALSE(pool.find({kNoPrefix, std::vector<Row>{7, 9}, ""}));
  EXPECT_FALSE(pool.find({kNoPrefix, rows, "somebody else's"}));
  pool.release(page);
  ASSERT_TRUE(pool.take());
  EXPECT_TRUE(pool.find({kNoPrefix, rows, ""})) << "the empty page went first";
  pool.release(page);
  ASSERT_TRUE(pool.take());
  EXPECT_FALSE(pool.find({kNoPrefix, rows, ""}));
}

// What was given back last is the likeliest to be asked for; of one sequence, its beginning.
TEST(PagePool, TheLongestUnusedGoesFirst) {
  PagePool pool(3, 1);
  std::vector<std::uint32_t> pages;
  for (Row row = 0; row < 3; ++row) {
    pages.push_back(*pool.take());
    pool.publish(pages.back(), {kNoPrefix, {&row, 1}, ""});
  }
  for (const int i : {2, 0, 1}) pool.release(pages[static_cast<std::size_t>(i)]);
  for (const int i : {2, 0, 1}) EXPECT_EQ(pool.take(), pages[static_cast<std::size_t>(i)]);
}

// Two requests that computed the same page at the same time.
TEST(PagePool, AnEqualPageDoesNotReplaceTheKnownOne) {
  PagePool pool(4, 1);
  const Row row[] = {5};
  const std::uint32_t first = *pool.take(), second = *pool.take();
  const auto prefix = pool.publish(first, {kNoPrefix, row, ""});
  EXPECT_EQ(pool.publish(second, {kNoPrefix, row, ""}), prefix);
  pool.release(second);
  EXPECT_EQ(pool.find({kNoPrefix, row, ""})->page, first);
}

// Against a plain account of who holds what.
TEST(PagePool, KeepsItsAccountsThroughAnything) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    PagePool pool(8, 1);
    std::map<std::uint32_t, std::uint32_t> users;             // of pages in use
    std::map<std::uint32_t, std::pair<PrefixId, Row>> holds;  // published
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
            pool.publish(at->first, {kNoPrefix, {&row, 1}, ""});
            if (!known) holds[at->first] = {kNoPrefix, row};
          }
          break;
        default:
          if (const auto found = pool.find({kNoPrefix, {&row, 1}, ""})) {
            ASSERT_EQ(holds.at(found->page), std::pair(kNoPrefix, row));
            ++users[found->page];
          }
      }
      ASSERT_EQ(pool.in_use(), users.size());
    }
  }
}

// The shape of a prefix: pages of one row each, whose bytes tell the whole chain and its salt.
struct Chain {
  std::string salt;
  std::vector<Row> rows;
  std::vector<std::byte> bytes(std::size_t length) const {
    std::uint64_t hash = std::hash<std::string>{}(salt);
    for (std::size_t i = 0; i < length; ++i) hash = (hash ^ rows[i]) * 0x9e3779b97f4a7c15u + 1;
    std::vector<std::byte> bytes(sizeof hash);
    std::memcpy(bytes.data(), &hash, sizeof hash);
    return bytes;
  }
};

struct PoolWithTier {
  PoolWithTier(std::uint32_t pages, std::uint32_t slots)
      : stage(pages, 1, sizeof(std::uint64_t)),
        tier(*PageTier::create(stage, std::make_unique<TestFile>(disk), slots * 4 * kKiB)),
        pool(pages, 1, tier.get()) {}

  struct Walk {
    std::uint32_t from_memory = 0, from_tier = 0, computed = 0;
  };
  // What a sequence does with this prompt: takes over what is known, computes the rest, ends. Every
  // page must hold what it would have computed.
  Walk walk(const Chain& chain) {
    Walk walk;
    std::vector<std::uint32_t> pages;
    PrefixId prefix = kNoPrefix;
    for (std::size_t i = 0; i < chain.rows.size(); ++i) {
      const PageKey key{prefix, {&chain.rows[i], 1}, chain.salt};
      if (const auto found = pool.find(key)) {
        ++walk.from_memory;
        pages.push_back(found->page);
        prefix = found->prefix;
      } else {
        const auto page = pool.take();
        if (!page) break;
        pages.push_back(*page);
        if (const auto restored = pool.restore(*page, key)) {
          ++walk.from_tier;
          prefix = *restored;
        } else {
          ++walk.computed;
          stage.page(*page) = chain.bytes(i + 1);
          prefix = pool.publish(*page, key);
        }
      }
      EXPECT_EQ(stage.page(pages.back()), chain.bytes(i + 1)) << i;
    }
    for (; !pages.empty(); pages.pop_back()) pool.release(pages.back());
    return walk;
  }

  TestDisk disk;
  TestPages stage;
  std::unique_ptr<PageTier> tier;
  PagePool pool;
};

// A long conversation that others have pushed out comes back without being computed.
TEST(PagePool, FindsEvictedPagesInTheTier) {
  PoolWithTier pages(4, 100);
  const Chain first{.rows = {1, 2, 3, 4}}, second{.rows = {5, 6, 7}};
  EXPECT_EQ(pages.walk(first).computed, 4u);
  EXPECT_EQ(pages.walk(second).computed, 3u);
  const auto again = pages.walk(first);
  EXPECT_EQ(again.from_memory, 1u);  // the beginning goes last
  EXPECT_EQ(again.from_tier, 3u);
  EXPECT_EQ(again.computed, 0u);
  EXPECT_EQ(pages.walk({.salt = "another", .rows = {1, 2, 3, 4}}).computed, 4u);
}

// Where the tier was too slow to be asked, a page is computed although it is stored; that must not
// cut off what is stored after it.
TEST(PagePool, APageComputedInSpiteOfTheTierLeadsToWhatIsStoredAfterIt) {
  PoolWithTier pages(3, 100);
  const Chain chain{.rows = {1, 2, 3}};
  pages.walk(chain);
  pages.walk({.rows = {4, 5, 6}});
  const PageKey beginning{kNoPrefix, {&chain.rows[0], 1}, ""};
  ASSERT_FALSE(pages.pool.find(beginning));
  ASSERT_TRUE(pages.pool.is_stored(beginning));
  const std::uint32_t page = *pages.pool.take();
  pages.stage.page(page) = chain.bytes(1);
  pages.pool.publish(page, beginning);
  pages.pool.release(page);
  const auto again = pages.walk(chain);
  EXPECT_EQ(again.from_memory, 1u);
  EXPECT_EQ(again.from_tier, 2u);
}

// What goes next is stored before it goes, so that a sudden crowd costs no copying.
TEST(PagePool, StoresAheadOfTheEviction) {
  PoolWithTier pages(8, 100);
  pages.walk({.rows = {1, 2, 3, 4, 5, 6, 7, 8}});
  int stored = 0;
  while (pages.pool.store_ahead()) ++stored;
  EXPECT_EQ(stored, 2);  // the quarter that goes next
  pages.tier->flush();
  const std::uint64_t writes = pages.disk.writes;
  pages.walk({.rows = {9, 10}});
  pages.tier->flush();
  EXPECT_EQ(pages.disk.writes, writes);
  EXPECT_EQ(pages.walk({.rows = {1, 2, 3, 4, 5, 6, 7, 8}}).from_tier, 2u);
}

// Random prompts with common beginnings, on a disk that fills up, hangs, flips bits and fails:
// never a wrong byte, never a lost page.
TEST(PagePool, NeverGivesWrongBytesWhateverTheDiskDoes) {
  std::uint64_t from_tier = 0, failed = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Rng rng(seed);
    PoolWithTier pages(8, static_cast<std::uint32_t>(2 + rng.below(40)));
    for (int step = 0; step < 1500; ++step) {
      Chain chain{.salt = rng.below(4) == 0 ? "salt" : ""};
      const std::uint64_t length = 1 + rng.below(8);
      for (std::uint64_t i = 0; i < length; ++i) chain.rows.push_back(Row(rng.below(3)));
      from_tier += pages.walk(chain).from_tier;
      ASSERT_EQ(pages.pool.in_use(), 0u);
      if (rng.below(3) == 0) pages.pool.store_ahead();
      if (rng.below(20) == 0) pages.tier->flush();
      const std::lock_guard lock(pages.disk.mutex);
      switch (rng.below(30)) {
        case 0:
          if (!pages.disk.bytes.empty())
            pages.disk.bytes[rng.below(pages.disk.bytes.size())] ^= std::byte{1};
          break;
        case 1:
          pages.disk.bytes_max = rng.below(2) == 0 ? ~Bytes{0} : rng.below(40) * 4 * kKiB;
          break;
        case 2:
          pages.disk.broken = !pages.disk.broken && rng.below(2) == 0;
          break;
        case 3:
          pages.disk.bytes.resize(pages.disk.bytes.size() / 2);
          break;
        default:
          break;
      }
    }
    pages.tier->flush();
    const PageTierCounts& counts = pages.tier->counts();
    EXPECT_LE(counts.slots_in_use, counts.slots);
    failed += counts.failed;
  }
  EXPECT_GT(from_tier, 100u);
  EXPECT_GT(failed, 10u);
}

}  // namespace
}  // namespace drystone

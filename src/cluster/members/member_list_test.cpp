#include "cluster/members/member_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include "base/rng.h"
#include "cluster/wire/json_fields.h"
#include "cluster/wire/test_crypto.h"

namespace drystone::cluster {
namespace {

constexpr ClusterId kCluster{1, 2, 3};

// Key pairs with names: atlas founds, the others are let in.
struct People {
  TestCrypto atlas{1}, nova{2}, spare{3}, pine{4}, oak{5};
};

NodeId id(const TestCrypto& who) { return node_id(who.public_key(), who); }

std::vector<std::string> names(const MemberList& list) {
  std::vector<std::string> names;
  for (const auto& [id, member] : list.members()) names.push_back(member.name);
  std::ranges::sort(names);
  return names;
}

MemberList founded(const TestCrypto& founder, std::string_view name = "atlas") {
  return *MemberList::found(kCluster, name, founder);
}

void merge_all(MemberList& into, const MemberList& from, const Crypto& crypto) {
  const auto merged = into.merge(from.entries(), from.removals(), crypto);
  ASSERT_TRUE(merged.refused.empty()) << merged.refused[0].message();
}

using Names = std::vector<std::string>;

TEST(MemberList, AMemberLetsOthersInWhoLetOthersIn) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(list.admit(p.spare.public_key(), "spare", p.nova));
  EXPECT_EQ(names(list), (Names{"atlas", "nova", "spare"}));
  EXPECT_TRUE(list.is_member(p.spare.public_key()));
  EXPECT_EQ(list.find(id(p.spare))->added_by, id(p.nova));
  EXPECT_FALSE(list.is_member(p.pine.public_key()));
}

TEST(MemberList, AStrangerLetsNobodyIn) {
  People p;
  MemberList list = founded(p.atlas);
  EXPECT_TRUE(list.admit(p.pine.public_key(), "pine", p.nova).is(Errc::invalid_argument));

  // Nor with a list of its own.
  MemberList other = founded(p.nova, "nova");
  ASSERT_TRUE(other.admit(p.pine.public_key(), "pine", p.nova));
  const auto merged = list.merge(other.entries(), {}, p.atlas);
  EXPECT_FALSE(merged.changed());
  ASSERT_EQ(merged.refused.size(), 2U);
  EXPECT_EQ(merged.refused[0].message(),
            "entries[0] (nova): it is signed by the very key it adds, which is not the founder's");
  EXPECT_EQ(merged.refused[1].message(), "entries[1] (pine): the one who signed it is not known");
  EXPECT_EQ(names(list), Names{"atlas"});
}

// Each field is under the signature, and a signature of one cluster is nothing in another.
TEST(MemberList, WhatWasAlteredIsRefused) {
  People p;
  MemberList list = founded(p.atlas);
  const MemberEntry good = *MemberList(list).admit(p.nova.public_key(), "nova", p.atlas);
  const auto refused = [&](MemberEntry entry) {
    const auto merged = list.merge({&entry, 1}, {}, p.atlas);
    return !merged.changed() && merged.refused.size() == 1;
  };
  MemberEntry renamed = good, later = good, moved = good, forged = good;
  renamed.name = "Nova";
  later.added_at += 1;
  moved.key = p.spare.public_key();
  forged.signature[0] ^= 1;
  EXPECT_TRUE(refused(renamed) && refused(later) && refused(moved) && refused(forged));

  MemberList elsewhere = *MemberList::found({9}, "atlas", p.atlas);
  EXPECT_EQ(elsewhere.merge({&good, 1}, {}, p.atlas).refused[0].message(),
            "entries[0] (nova): its signature is wrong");
  EXPECT_FALSE(refused(good));
}

// A node that was thrown out must not come back with what it still has: its key.
TEST(MemberList, ARemovedKeyStaysOutWhateverItSigns) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  MemberList of_nova = list;  // it does not listen to its removal
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.atlas));
  EXPECT_FALSE(list.former().at(0).left);
  EXPECT_EQ(names(list), Names{"atlas"});
  EXPECT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas).is(Errc::invalid_argument));
  EXPECT_TRUE(list.admit(p.pine.public_key(), "pine", p.nova).is(Errc::invalid_argument));

  // It lets in a second key of its own, with a counter from before its removal.
  ASSERT_TRUE(of_nova.admit(p.pine.public_key(), "pine", p.nova));
  merge_all(list, of_nova, p.atlas);
  EXPECT_EQ(names(list), Names{"atlas"});
  merge_all(of_nova, list, p.atlas);
  EXPECT_EQ(names(of_nova), Names{"atlas"});

  // Another member may let that key in.
  ASSERT_TRUE(list.admit(p.pine.public_key(), "pine", p.atlas));
  EXPECT_EQ(names(list), (Names{"atlas", "pine"}));
}

TEST(MemberList, ThoseWhomARemovedNodeLetInStay) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(list.admit(p.spare.public_key(), "spare", p.nova));
  ASSERT_TRUE(list.admit(p.pine.public_key(), "pine", p.spare));
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.pine));
  EXPECT_EQ(names(list), (Names{"atlas", "pine", "spare"}));
  // The founder is no exception.
  ASSERT_TRUE(list.remove(p.atlas.public_key(), p.spare));
  EXPECT_EQ(names(list), (Names{"pine", "spare"}));
  ASSERT_TRUE(list.admit(p.oak.public_key(), "oak", p.pine));
  EXPECT_EQ(names(list), (Names{"oak", "pine", "spare"}));
}

// One side of a partition removes a node, the other lets it let others in: what the removers did
// not all know is not kept.
TEST(MemberList, OnlyWhatEveryRemoverKnewIsKept) {
  People p;
  MemberList here = founded(p.atlas);
  ASSERT_TRUE(here.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(here.admit(p.spare.public_key(), "spare", p.atlas));
  MemberList there = here;
  ASSERT_TRUE(here.remove(p.nova.public_key(), p.atlas));
  ASSERT_TRUE(there.admit(p.pine.public_key(), "pine", p.nova));
  ASSERT_TRUE(there.remove(p.nova.public_key(), p.spare));
  EXPECT_EQ(names(there), (Names{"atlas", "pine", "spare"}));
  merge_all(there, here, p.spare);
  EXPECT_EQ(names(there), (Names{"atlas", "spare"}));
}

TEST(MemberList, ANodeThatLeavesIsGone) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.nova));
  EXPECT_EQ(names(list), Names{"atlas"});
  EXPECT_TRUE(list.remove(p.nova.public_key(), p.atlas).is(Errc::not_found));
  ASSERT_EQ(list.former().size(), 1u);
  EXPECT_EQ(list.former()[0].id, id(p.nova));
  EXPECT_EQ(list.former()[0].name, "nova");
  EXPECT_TRUE(list.former()[0].left);
}

// Members never meet to agree: whatever order and however often parts come, all hold the same.
TEST(MemberList, MergesToTheSameInEveryOrder) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::vector<std::unique_ptr<TestCrypto>> keys;
    for (std::uint64_t i = 0; i < 8; ++i) keys.push_back(std::make_unique<TestCrypto>(i + 1));
    std::vector<MemberList> lists(3, founded(*keys[0], "n0"));
    for (int step = 0; step < 30; ++step) {
      MemberList& list = lists[rng.below(lists.size())];
      const TestCrypto& signer = *keys[rng.below(keys.size())];
      const std::uint64_t other = rng.below(keys.size());
      if (rng.below(4) == 0) {
        (void)list.remove(keys[other]->public_key(), signer);
      } else if (rng.below(8) == 0) {
        merge_all(list, lists[rng.below(lists.size())], signer);
      } else {
        (void)list.admit(keys[other]->public_key(), "n" + std::to_string(other), signer);
      }
    }
    std::vector<MemberEntry> entries;
    std::vector<Removal> removals;
    for (const MemberList& list : lists) {
      for (const MemberEntry& entry : list.entries()) entries.push_back(entry);
      for (const Removal& removal : list.removals()) removals.push_back(removal);
    }
    std::vector<MemberList> merged(3, MemberList(kCluster, keys[0]->public_key()));
    for (MemberList& list : merged) {
      for (std::size_t i = entries.size(); i > 1; --i)
        std::swap(entries[i - 1], entries[rng.below(i)]);
      for (std::size_t i = removals.size(); i > 1; --i)
        std::swap(removals[i - 1], removals[rng.below(i)]);
      // A part whose signer was not known yet is given again, as often as a chain is long.
      for (std::size_t pass = 0; pass <= keys.size(); ++pass)
        (void)list.merge(entries, removals, *keys[0]);
    }
    ASSERT_EQ(merged[0].digest(), merged[1].digest()) << "seed " << seed;
    ASSERT_EQ(merged[0].digest(), merged[2].digest()) << "seed " << seed;
    ASSERT_EQ(names(merged[0]), names(merged[1])) << "seed " << seed;
    ASSERT_EQ(names(merged[0]), names(merged[2])) << "seed " << seed;
    ASSERT_EQ(merged[0].removed_digest(), merged[1].removed_digest());
    for (const auto& key : keys) {
      ASSERT_FALSE(merged[0].is_removed(key->public_key()) &&
                   merged[0].is_member(key->public_key()))
          << "seed " << seed;
    }
  }
}

MemberEntry signed_entry(const TestCrypto& signer, const PublicKey& key, std::uint64_t at = 5) {
  MemberEntry entry{.key = key, .name = "x", .added_at = at, .added_by = signer.public_key()};
  entry.signature = signer.sign(signed_bytes(kCluster, entry));
  return entry;
}

// It could close the cluster to everybody else for ever, since a list never shrinks.
TEST(MemberList, WhatARemovedKeySignsTakesNoRoom) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.atlas));
  const Digest before = list.digest();
  // Of its own, and of a key that it lets in: nobody has removed that one.
  std::vector<MemberEntry> flood{signed_entry(p.nova, p.oak.public_key(), kJsonNumberMax)};
  for (std::size_t i = 0; i < 2 * kMemberEntriesMax; ++i)
    flood.push_back(signed_entry(i % 2 == 0 ? p.nova : p.oak, TestCrypto(100 + i).public_key()));
  EXPECT_FALSE(list.merge(flood, {}, p.atlas).changed()) << "nothing to pass on";
  EXPECT_EQ(list.entries().size(), 2U);
  EXPECT_EQ(list.digest(), before);
  const auto admitted = list.admit(p.pine.public_key(), "pine", p.atlas);
  ASSERT_TRUE(admitted) << admitted.error().message();
  EXPECT_EQ(admitted->added_at, 2U) << "its counters drive nobody to the end of the numbers";
  EXPECT_EQ(names(list), (Names{"atlas", "pine"}));
  EXPECT_EQ(list.former().size(), 1U);
}

Removal signed_removal(const TestCrypto& signer, const PublicKey& key,
                       std::vector<PublicKey> kept = {}) {
  std::ranges::sort(kept);
  Removal removal{.key = key, .removed_by = signer.public_key(), .kept = std::move(kept)};
  removal.signature = signer.sign(signed_bytes(kCluster, removal));
  return removal;
}

// Removals of its own keys, which keep keys that nobody let in, must not take the room of its own.
TEST(MemberList, NobodyBecomesUnremovableByInventedKeys) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  std::vector<Removal> flood;
  for (std::uint64_t i = 0; i < 8; ++i) {
    const TestCrypto own(100 + i);
    ASSERT_TRUE(list.admit(own.public_key(), "own", p.nova));
    std::vector<PublicKey> invented;
    for (std::uint64_t k = 0; k < kKeptMax; ++k)
      invented.push_back(TestCrypto(1000 + kKeptMax * i + k).public_key());
    flood.push_back(signed_removal(p.nova, own.public_key(), std::move(invented)));
  }
  const auto merged = list.merge({}, flood, p.atlas);
  ASSERT_EQ(merged.refused.size(), flood.size());
  EXPECT_EQ(merged.refused[0].message(),
            "removals[0]: it keeps a key that the removed one has not let in");
  const auto removed = list.remove(p.nova.public_key(), p.atlas);
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_TRUE(list.is_removed(p.nova.public_key()));
}

// ... nor by the number of removals that keys of its own sign against each other.
TEST(MemberList, NobodyBecomesUnremovableByMutualRemovals) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  std::vector<std::unique_ptr<TestCrypto>> own;
  for (std::uint64_t i = 0; i < 36; ++i) {
    own.push_back(std::make_unique<TestCrypto>(100 + i));
    ASSERT_TRUE(list.admit(own.back()->public_key(), "own", p.nova));
  }
  std::vector<Removal> flood;
  for (const auto& signer : own)
    for (const auto& removed : own) flood.push_back(signed_removal(*signer, removed->public_key()));
  EXPECT_TRUE(list.merge({}, flood, p.atlas).refused.empty());
  EXPECT_EQ(list.removals().size(), own.size()) << "one of each, since all keep the same";
  const auto removed = list.remove(p.nova.public_key(), p.atlas);
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(names(list), Names{"atlas"});
}

// It may come before the entry that it keeps: whoever has it gives both.
TEST(MemberList, ARemovalWaitsForTheEntriesThatItKeeps) {
  People p;
  MemberList here = founded(p.atlas);
  ASSERT_TRUE(here.admit(p.nova.public_key(), "nova", p.atlas));
  MemberList there = here;
  ASSERT_TRUE(there.admit(p.pine.public_key(), "pine", p.nova));
  const Removal removal = *there.remove(p.nova.public_key(), p.atlas);
  const auto early = here.merge({}, {&removal, 1}, p.atlas);
  ASSERT_EQ(early.refused.size(), 1U);
  EXPECT_EQ(early.refused[0].code(), Errc::not_found);
  EXPECT_TRUE(here.merge(there.proof({&removal, 1}), {&removal, 1}, p.atlas).refused.empty());
  EXPECT_EQ(here.digest(), there.digest());
  EXPECT_EQ(names(here), (Names{"atlas", "pine"}));
}

// One remover kept pine, the other did not know of it: pine is out, and yet both are believed.
TEST(MemberList, EntriesOfKeptKeysLastWithTheRemoval) {
  People p;
  MemberList here = founded(p.atlas);
  ASSERT_TRUE(here.admit(p.nova.public_key(), "nova", p.atlas));
  MemberList there = here;
  ASSERT_TRUE(here.remove(p.nova.public_key(), p.atlas));
  ASSERT_TRUE(there.admit(p.pine.public_key(), "pine", p.nova));
  ASSERT_TRUE(there.remove(p.nova.public_key(), p.atlas));
  merge_all(here, there, p.atlas);
  EXPECT_EQ(names(here), Names{"atlas"});
  EXPECT_EQ(here.removals().size(), 2U);
  MemberList read(kCluster, p.atlas.public_key());
  merge_all(read, here, p.atlas);
  EXPECT_EQ(read.digest(), here.digest());
}

// Of more versions than are held nobody knows whom all of them keep, so they keep nobody; and which
// are held does not depend on what came first.
TEST(MemberList, OfManyDifferentRemovalsAllHoldTheSame) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  std::vector<PublicKey> let_in;
  for (std::uint64_t i = 0; i < 5; ++i) {
    let_in.push_back(TestCrypto(100 + i).public_key());
    ASSERT_TRUE(list.admit(let_in.back(), "n" + std::to_string(i), p.nova));
  }
  std::vector<Removal> removals;  // all keep n0, and any of the others
  for (std::size_t others = 0; others < 16; ++others) {
    std::vector<PublicKey> kept{let_in[0]};
    for (std::size_t i = 0; i < 4; ++i)
      if (others >> i & 1) kept.push_back(let_in[i + 1]);
    for (const TestCrypto* signer : {&p.atlas, &p.nova})
      removals.push_back(signed_removal(*signer, p.nova.public_key(), kept));
  }
  MemberList few = list;
  EXPECT_TRUE(few.merge({}, std::span(removals).last(14), p.atlas).refused.empty());
  EXPECT_EQ(few.removals().size(), 7U);
  EXPECT_TRUE(few.is_member(let_in[0]));
  EXPECT_FALSE(few.is_member(let_in[1]));

  std::optional<Digest> digest;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    MemberList merged = list;
    for (std::size_t i = removals.size(); i > 1; --i)
      std::swap(removals[i - 1], removals[rng.below(i)]);
    EXPECT_TRUE(merged.merge({}, removals, p.atlas).refused.empty());
    EXPECT_EQ(merged.removals().size(), kRemovalsOfKeyMax);
    EXPECT_EQ(names(merged), Names{"atlas"});
    ASSERT_EQ(merged.digest(), digest.value_or(merged.digest())) << "seed " << seed;
    digest = merged.digest();
    ASSERT_TRUE(merged.former().at(0).left) << "nova signed some of them itself";
  }
}

// Who came in by a removed node and is let in again brings those whom it let in.
TEST(MemberList, EntriesCountAgainWithTheirSigner) {
  People p;
  MemberList list = founded(p.atlas);
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  MemberList there = list;
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.atlas));
  ASSERT_TRUE(there.admit(p.spare.public_key(), "spare", p.nova));
  ASSERT_TRUE(there.admit(p.pine.public_key(), "pine", p.spare));
  merge_all(list, there, p.atlas);
  EXPECT_EQ(names(list), Names{"atlas"});
  ASSERT_TRUE(list.admit(p.spare.public_key(), "spare", p.atlas));
  EXPECT_EQ(names(list), (Names{"atlas", "pine", "spare"}));
}

// Two parts of a cluster put each other out: what proves a removal stays as long as the removal.
TEST(MemberList, ARemovalLastsWithTheEntriesThatProveIt) {
  People p;
  MemberList here = founded(p.atlas);
  ASSERT_TRUE(here.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(here.admit(p.oak.public_key(), "oak", p.atlas));
  MemberList there = here;
  ASSERT_TRUE(here.remove(p.nova.public_key(), p.atlas));
  ASSERT_TRUE(there.admit(p.spare.public_key(), "spare", p.nova));
  ASSERT_TRUE(there.admit(p.pine.public_key(), "pine", p.nova));
  ASSERT_TRUE(there.remove(p.oak.public_key(), p.spare));
  merge_all(here, there, p.atlas);
  EXPECT_EQ(names(here), Names{"atlas"});
  EXPECT_EQ(here.entries().size(), 4U) << "pine's alone is not needed";
  MemberList read(kCluster, p.atlas.public_key());
  merge_all(read, here, p.atlas);
  EXPECT_EQ(read.digest(), here.digest());
  EXPECT_TRUE(read.is_removed(p.oak.public_key()));
  merge_all(there, here, p.spare);
  EXPECT_EQ(there.digest(), here.digest());
}

// In the order that entries() gives, each signer is known before what it signed.
TEST(MemberList, GivesSignersFirst) {
  std::vector<std::unique_ptr<TestCrypto>> keys;
  for (std::uint64_t i = 0; i < 30; ++i) keys.push_back(std::make_unique<TestCrypto>(i + 1));
  MemberList list = founded(*keys[0]);
  for (std::size_t i = 1; i < keys.size(); ++i)
    ASSERT_TRUE(list.admit(keys[i]->public_key(), "n", *keys[i - 1]));
  MemberList copy(kCluster, keys[0]->public_key());
  merge_all(copy, list, *keys[0]);
  EXPECT_EQ(copy.digest(), list.digest());
}

// A node that was away believes one that came meanwhile by its chain alone.
TEST(MemberList, AChainIsAllThatAStrangerNeeds) {
  People p;
  MemberList away = founded(p.atlas), list = away;
  ASSERT_TRUE(list.admit(p.nova.public_key(), "nova", p.atlas));
  ASSERT_TRUE(list.admit(p.pine.public_key(), "pine", p.atlas));
  ASSERT_TRUE(list.admit(p.spare.public_key(), "spare", p.nova));
  ASSERT_TRUE(list.remove(p.nova.public_key(), p.atlas));
  const std::vector<MemberEntry> chain = list.chain(p.spare.public_key());
  EXPECT_EQ(chain.size(), 3U);
  EXPECT_TRUE(away.merge(chain, {}, p.atlas).refused.empty());
  EXPECT_TRUE(away.is_member(p.spare.public_key()));
  EXPECT_EQ(list.chain(p.nova.public_key()).size(), 2U) << "its signatures hold";
  EXPECT_TRUE(list.chain(p.oak.public_key()).empty());
  EXPECT_EQ(*list.key_of(id(p.nova)), p.nova.public_key()) << "still known, though no member";
  EXPECT_EQ(list.key_of(id(p.oak)), nullptr);
}

TEST(MemberList, NamesAreShortPrintableUtf8) {
  People p;
  MemberList list = founded(p.atlas);
  const auto refused = [&](std::string_view name) {
    return list.admit(p.nova.public_key(), name, p.atlas).is(Errc::invalid_argument);
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(std::string(65, 'a')));
  EXPECT_TRUE(refused("a\nb"));
  EXPECT_TRUE(refused("\xc2\x85"));  // a control character of two bytes
  EXPECT_TRUE(refused("\xff"));
  EXPECT_TRUE(refused("\xc0\xaf"));      // longer than need be
  EXPECT_TRUE(refused("\xed\xa0\x80"));  // half of a pair
  EXPECT_TRUE(refused("\xf0\x9f\x98"));  // cut
  EXPECT_FALSE(
      refused("k\xc3\xbc"
              "che \xf0\x9f\x98\x80"));
}

TEST(MemberList, HoldsAtMost1024Entries) {
  People p;
  MemberList list = founded(p.atlas);
  for (std::size_t i = 1; i < kMemberEntriesMax; ++i)
    ASSERT_TRUE(list.admit(TestCrypto(100 + i).public_key(), "n", p.atlas)) << i;
  EXPECT_TRUE(list.admit(p.nova.public_key(), "n", p.atlas).is(Errc::limit));
  EXPECT_EQ(list.members().size(), kMemberEntriesMax);
}

}  // namespace
}  // namespace drystone::cluster

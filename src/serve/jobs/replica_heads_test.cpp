#include "serve/jobs/replica_heads.h"

#include <gtest/gtest.h>

#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

constexpr auto kIdle = [](std::uint64_t) -> std::size_t { return 0; };

class ReplicaHeadsTest : public testing::Test {
 protected:
  ReplicaHeads heads;
  std::vector<ReplicaHeads::Queue> left;
  std::shared_ptr<ScriptedQueue> first = std::make_shared<ScriptedQueue>(),
                                 second = std::make_shared<ScriptedQueue>();
  const std::uint64_t a = heads.add(), b = heads.add();
};

TEST_F(ReplicaHeadsTest, TheOneWithTheFewestJobsIsNext) {
  EXPECT_FALSE(heads.choose({}, false, kIdle)) << "none has a head";
  heads.set(a, 1, first, "", left);
  heads.set(b, 1, second, "", left);
  const auto busy_at = [](std::uint64_t busy) {
    return [busy](std::uint64_t replica) -> std::size_t { return replica == busy ? 2 : 1; };
  };
  EXPECT_EQ(heads.choose({}, false, busy_at(a))->queue, second);
  EXPECT_EQ(heads.choose({}, false, busy_at(b))->queue, first);
  second->lose();
  EXPECT_EQ(heads.choose({}, false, busy_at(a))->queue, first);
}

TEST_F(ReplicaHeadsTest, ThoseThatWereTriedComeLastAndOnlyAgain) {
  heads.set(a, 1, first, "", left);
  std::vector tried = {heads.choose({}, false, kIdle)->number};
  EXPECT_FALSE(heads.choose(tried, false, kIdle));
  EXPECT_EQ(heads.choose(tried, true, kIdle)->queue, first);
  heads.set(b, 1, second, "", left);
  const auto other = heads.choose(tried, true, kIdle);
  EXPECT_EQ(other->queue, second);
  tried.push_back(other->number);
  EXPECT_FALSE(heads.choose(tried, false, kIdle));
  EXPECT_EQ(heads.choose(tried, true, kIdle)->queue, first) << "its turn is longest ago";
  heads.set(a, 2, first, "", left);
  EXPECT_FALSE(heads.is_present(a, tried.front()));
}

TEST_F(ReplicaHeadsTest, LateNewsChangeNothingAndLetGoOfTheirQueue) {
  EXPECT_TRUE(heads.set(a, 5, first, "", left));
  EXPECT_FALSE(heads.set(a, 4, second, "", left));
  EXPECT_TRUE(heads.remove(b, left));
  EXPECT_FALSE(heads.set(b, 9, second, "", left));
  EXPECT_EQ(left.size(), 2u);
  EXPECT_NE(heads.add(), b) << "a number that comes again would bring its jobs back";
}

// That there is none is known before the reason is, which clients are told.
TEST_F(ReplicaHeadsTest, TheLatestReasonWhyThereIsNoneCounts) {
  EXPECT_TRUE(heads.set(a, 1, nullptr, "", left));
  EXPECT_EQ(heads.why_none(), "");
  EXPECT_FALSE(heads.set(a, 1, nullptr, "nova does not answer", left)) << "there was none before";
  EXPECT_EQ(heads.why_none(), "nova does not answer");
  heads.set(a, 1, nullptr, "", left);
  EXPECT_EQ(heads.why_none(), "nova does not answer");
  heads.set(a, 0, nullptr, "late news", left);
  EXPECT_EQ(heads.why_none(), "nova does not answer");
  heads.set(a, 1, first, "", left);
  heads.set(a, 1, first, "of one that is there", left);
  EXPECT_EQ(heads.why_none(), "");
}

TEST_F(ReplicaHeadsTest, OneRefusalIsNone) {
  heads.set(a, 1, nullptr, "needs 9 GiB", left);
  EXPECT_TRUE(heads.refuse(a, 1, Error(Errc::out_of_memory, "needs 9 GiB")));
  EXPECT_FALSE(heads.refused());
  EXPECT_EQ(heads.why_none(), "needs 9 GiB");
  EXPECT_TRUE(heads.refuse(b, 0, Error(Errc::unavailable, "checksum")));
  EXPECT_TRUE(heads.refused());
  heads.set(b, 1, second, "", left);
  EXPECT_FALSE(heads.refused());
  EXPECT_FALSE(heads.refuse(b, 1, Error(Errc::unavailable, "late"))) << "it has a head";
}

}  // namespace
}  // namespace drystone

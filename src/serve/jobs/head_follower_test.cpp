#include "serve/jobs/head_follower.h"

#include <gtest/gtest.h>

#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

class HeadFollowerTest : public testing::Test {
 protected:
  std::shared_ptr<ScriptedQueue> give_queue() {
    auto made = std::make_shared<ScriptedQueue>();
    follower.take(std::shared_ptr<JobQueue>(made));
    queue.work();
    return made;
  }

  SystemClock clock;
  SeenAnswer seen;
  ReplayQueue queue{{.instance = "stories", .driven = true}, clock};
  HeadFollower follower{queue};
};

// The map changes often where the head stays: its connection is to stay as well.
TEST_F(HeadFollowerTest, StaysWhereItIsAimedAgain) {
  EXPECT_FALSE(follower.wants_queue());
  EXPECT_TRUE(follower.aim({.epoch = 1, .keeper = "a", .node = "nova"}));
  EXPECT_TRUE(follower.wants_queue());
  give_queue();
  EXPECT_FALSE(follower.aim({.epoch = 1, .keeper = "a", .node = "nova"}));
  EXPECT_FALSE(follower.wants_queue());
  EXPECT_TRUE(follower.aim({.epoch = 2, .keeper = "a", .why = "nova is gone"}));
  EXPECT_FALSE(follower.wants_queue());
}

// A connection is lost without any news of the instance: what runs goes on over the next one.
TEST_F(HeadFollowerTest, WantsAnotherQueueToTheSameHead) {
  follower.aim({.epoch = 1, .keeper = "a", .node = "nova"});
  const auto first = give_queue();
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));
  queue.work();
  first->wait_for(1);
  first->lose();
  EXPECT_TRUE(follower.wants_queue());
  follower.take(Error(Errc::unavailable, "nova does not answer"));
  EXPECT_TRUE(follower.wants_queue());
  const auto second = give_queue();
  second->wait_for(1);
  second->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait());
}

// Whoever gave up waiting must read what was wrong, not only that something was.
TEST_F(HeadFollowerTest, ClientsLearnWhyAHeadCannotBeReached) {
  ReplayQueue impatient{
      {.instance = "stories", .pause_max = std::chrono::milliseconds(0), .driven = true}, clock};
  HeadFollower to_nova{impatient};
  const auto told = [&] {
    SeenAnswer answer;
    EXPECT_TRUE(impatient.submit(answer.job({.prompt = {1}})));
    impatient.work();
    return answer.over() ? answer.wait().error().message() : "nothing";
  };
  to_nova.aim({.epoch = 1, .keeper = "a", .node = "nova"});
  to_nova.take(Error(Errc::unavailable, "nova does not answer"));
  EXPECT_NE(told().find("(nova does not answer)"), std::string::npos) << told();
  const auto made = std::make_shared<ScriptedQueue>();
  to_nova.take(std::shared_ptr<JobQueue>(made));
  impatient.work();
  made->lose();
  EXPECT_TRUE(to_nova.wants_queue());
  EXPECT_NE(told().find("(the connection to nova is lost)"), std::string::npos) << told();
  to_nova.take(Error(Errc::unavailable, "no way to nova"));
  EXPECT_NE(told().find("(no way to nova)"), std::string::npos) << told();
}

// Nobody waits for a head that will not come.
TEST_F(HeadFollowerTest, WhatWaitsEndsWithARefusal) {
  follower.aim({.epoch = 1, .keeper = "a", .why = "stories is loading"});
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));
  queue.work();
  EXPECT_FALSE(seen.over());
  follower.aim({.epoch = 2, .keeper = "a", .why = "needs 9 GiB", .refused = Errc::out_of_memory});
  queue.work();
  ASSERT_TRUE(seen.over());
  EXPECT_TRUE(seen.wait().is(Errc::out_of_memory));
  EXPECT_EQ(seen.wait().error().message(), "needs 9 GiB");
  // A corrupt file is no lack of memory.
  follower.aim({.epoch = 3, .keeper = "a", .why = "checksum", .refused = Errc::unavailable});
  SeenAnswer later;
  EXPECT_TRUE(queue.submit(later.job({.prompt = {1}})).is(Errc::unavailable));
}

}  // namespace
}  // namespace drystone

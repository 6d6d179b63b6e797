#include "serve/jobs/replay_queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

using std::chrono::milliseconds;

class ReplayQueueTest : public testing::Test {
 protected:
  static GenerateRequest request() { return {.prompt = {7, 8, 9}, .tokens_max = 20}; }

  SystemClock clock;
  std::shared_ptr<ScriptedQueue> first = std::make_shared<ScriptedQueue>(),
                                 second = std::make_shared<ScriptedQueue>();
  SeenAnswer seen;
  ReplayQueue queue{{.instance = "stories", .retry_every = milliseconds(1)}, clock};
  const std::uint64_t replica = queue.add_replica();
};

struct ManualClock final : Clock {
  Nanoseconds monotonic() const override { return now; }
  WallTime wall() const override { return WallTime(now); }
  Nanoseconds now{};
};

// The promise of the whole: a pause, and then the same answer.
TEST_F(ReplayQueueTest, GoesOnOnTheNextHeadBehindWhatTheClientHas) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  EXPECT_TRUE(first->wait_for(1).written.empty());
  first->prompt(1, 2);
  first->prompt(1, 3);
  first->write(1, "once");
  first->lose();
  EXPECT_FALSE(seen.over());
  queue.set_head(replica, 1, nullptr, "node atlas does not answer");
  queue.set_head(replica, 2, second);

  const GenerateRequest replay = second->wait_for(1);
  EXPECT_EQ(replay.prompt, request().prompt);
  EXPECT_EQ(replay.written, ids_of("once"));
  second->prompt(1, 0);
  second->prompt(1, 3);
  second->write(1, "once upon");
  EXPECT_EQ(seen.text(), "once upon");
  second->end(1, GenerateResult{.prompt_tokens = 3, .completion_tokens = 9, .cached_tokens = 0});

  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "once upon");
  EXPECT_EQ(seen.tokens().size(), 9u);
  EXPECT_EQ(seen.held(), (std::vector<std::uint32_t>{2, 3})) << "progress does not go back";
  EXPECT_EQ(seen.wait()->completion_tokens, 9u);
  EXPECT_EQ(seen.wait()->cached_tokens, 2u) << "as the client's own request found them";
}

// A piece of text may be cut elsewhere by another connection.
TEST_F(ReplayQueueTest, GivesEachByteOnceWhereverPiecesEnd) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->give(1, {.text = "ab", .tokens = {{.id = 1}, {.id = 2}}});
  first->give(1, {.text = "c", .tokens = {{.id = 3}}});
  first->lose();
  queue.set_head(replica, 2, second);
  EXPECT_EQ(second->wait_for(1).written, (std::vector<TokenId>{1, 2, 3}));
  second->give(1, {.text = "a", .tokens = {{.id = 1}}});
  second->give(1, {.text = "bcd",
                   .tokens = {{.id = 2}, {.id = 3}, {.id = 4, .logprob = -1, .top = {{4, -1}}}}});
  second->end(1, GenerateResult{});
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "abcd");
  ASSERT_EQ(seen.tokens().size(), 4u);
  EXPECT_EQ(seen.tokens()[3].top.size(), 1u) << "logprobs of new tokens are kept";
}

// Where nothing can hold the model any more nobody waits for a minute to hear it.
TEST_F(ReplayQueueTest, EndsWhatWaitsWhenNoHeadWillCome) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->wait_for(1);
  first->lose();
  queue.refuse(replica, 2, Error(Errc::out_of_memory, "needs 4 GiB, free 2 GiB"));
  const auto result = seen.wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "needs 4 GiB, free 2 GiB");
  SeenAnswer later;
  EXPECT_TRUE(queue.submit(later.job(request())).is(Errc::out_of_memory));
  queue.set_head(replica, 3, second);
  EXPECT_TRUE(queue.submit(later.job(request())));
  second->wait_for(1);
  second->end(1, GenerateResult{});
  EXPECT_TRUE(later.wait());
}

// The end was lost, not the text.
TEST_F(ReplayQueueTest, AnswersOnceWhenOnlyTheEndWasLost) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "all");
  first->lose();
  queue.set_head(replica, 2, second);
  second->wait_for(1);
  second->write(1, "all");
  second->end(1, GenerateResult{.finish = FinishReason::length, .completion_tokens = 3});
  EXPECT_EQ(seen.wait()->finish, FinishReason::length);
  EXPECT_EQ(seen.text(), "all");
}

// An answer that fills the context has no room for one more token, which a replay asks for.
TEST_F(ReplayQueueTest, AnAnswerThatFillsTheContextComesToItsEnd) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "full");
  first->lose();
  second->refuse(Error(Errc::limit, "too long"));
  queue.set_head(replica, 2, second);
  ASSERT_FALSE(seen.wait()) << "it was tried with all tokens and with one less";

  SeenAnswer other;
  auto third = std::make_shared<ScriptedQueue>(), fourth = std::make_shared<ScriptedQueue>();
  queue.set_head(replica, 3, third);
  ASSERT_TRUE(queue.submit(other.job(request())));
  third->write(1, "full");
  third->lose();
  queue.set_head(replica, 4, fourth);
  EXPECT_EQ(fourth->wait_for(1).written, ids_of("full"));
  fourth->end(1, Error(Errc::limit, "too long"));
  EXPECT_EQ(fourth->wait_for(2).written, ids_of("ful"));
  fourth->lose();  // that one is lost as well
  auto fifth = std::make_shared<ScriptedQueue>();
  queue.set_head(replica, 5, fifth);
  EXPECT_EQ(fifth->wait_for(1).written, ids_of("ful"));
  fifth->write(1, "full");
  fifth->end(1, GenerateResult{.finish = FinishReason::length});
  ASSERT_TRUE(other.wait());
  EXPECT_EQ(other.text(), "full");
}

TEST_F(ReplayQueueTest, ARequestWithoutAHeadWaitsForOne) {
  ASSERT_TRUE(queue.submit(seen.job(request())));
  queue.set_head(replica, 1, first);
  first->wait_for(1);
  first->write(1, "x");
  first->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait());
}

TEST_F(ReplayQueueTest, CancelsWhileItWaits) {
  queue.set_head(replica, 1, first);
  const auto id = queue.submit(seen.job(request()));
  first->write(1, "on");
  first->lose();
  queue.cancel(*id);
  ASSERT_TRUE(seen.over()) << "at once: nothing runs";
  EXPECT_EQ(seen.wait()->finish, FinishReason::cancelled);
  EXPECT_EQ(seen.wait()->completion_tokens, 2u);
  queue.cancel(*id);
  queue.set_head(replica, 2, second);
  SeenAnswer next;
  ASSERT_TRUE(queue.submit(next.job({.prompt = {5}})));
  EXPECT_EQ(second->wait_for(1).prompt, (std::vector<TokenId>{5})) << "the other one never came";
  second->end(1, GenerateResult{});
  next.wait();
}

TEST_F(ReplayQueueTest, CancelsWhatRuns) {
  queue.set_head(replica, 1, first);
  const auto id = queue.submit(seen.job(request()));
  queue.cancel(*id);
  first->wait_for_cancel(1);
  first->end(1, GenerateResult{.finish = FinishReason::cancelled});
  EXPECT_EQ(seen.wait()->finish, FinishReason::cancelled);

  SeenAnswer lost;
  const auto other = queue.submit(lost.job(request()));
  queue.cancel(*other);
  first->lose();
  EXPECT_EQ(lost.wait()->finish, FinishReason::cancelled) << "nobody wants it again";
}

TEST(ReplayQueue, GivesUpAfterThePauseAndSaysWhatWasLost) {
  const SystemClock clock;
  ReplayQueue queue({.instance = "stories", .pause_max = milliseconds(20)}, clock);
  const std::uint64_t replica = queue.add_replica();
  auto first = std::make_shared<ScriptedQueue>();
  queue.set_head(replica, 1, first);
  SeenAnswer seen;
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));
  first->write(1, "ab");
  first->lose();
  queue.set_head(replica, 1, nullptr, "node atlas does not answer");
  ASSERT_TRUE(seen.wait().is(Errc::unavailable));
  const std::string message = seen.wait().error().message();
  for (const char* part : {"stories", "node atlas does not answer", "2 tokens", "Ask again"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

// A head that comes and goes without a token must not keep a client for ever.
TEST(ReplayQueue, HeadsThatBringNothingDoNotProlongThePause) {
  const SystemClock clock;
  ReplayQueue queue({.instance = "stories", .pause_max = milliseconds(50)}, clock);
  const std::uint64_t replica = queue.add_replica();
  SeenAnswer seen;
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));
  for (std::uint64_t epoch = 1; !seen.over(); ++epoch) {
    auto head = std::make_shared<ScriptedQueue>();
    queue.set_head(replica, epoch, head);
    head->lose();
  }
  EXPECT_TRUE(seen.wait().is(Errc::unavailable));
}

// Fewer replicas are wanted while answers run: those go on where the model still is.
TEST_F(ReplayQueueTest, WhatRunsOnAReplicaThatGoesGoesOnAtAnother) {
  const std::uint64_t other = queue.add_replica();
  queue.set_head(replica, 1, first);
  const auto id = queue.submit(seen.job(request()));
  first->wait_for(1);
  queue.set_head(other, 1, second);
  first->write(1, "on");
  queue.remove_replica(replica);
  first->wait_for_cancel(1);
  first->end(1, GenerateResult{.finish = FinishReason::cancelled});
  EXPECT_EQ(second->wait_for(1).written, ids_of("on"));
  EXPECT_FALSE(seen.over());
  // The queue hears of the id there after the head has the job.
  while (queue.position(*id) == 0) std::this_thread::yield();
  EXPECT_EQ(queue.position(*id), 3u) << "it has the id that it had";
  second->write(1, "once");
  queue.set_head(replica, 9, first, "late news of the one that went");
  second->end(1, GenerateResult{});
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "once");
}

// A number of replicas that comes again must not bring back the ids of jobs.
TEST_F(ReplayQueueTest, ALateCancelOfAnOldJobHitsNoOther) {
  queue.set_head(replica, 1, first);
  const auto old = queue.submit(seen.job(request()));
  first->end(1, GenerateResult{});
  queue.remove_replica(replica);
  EXPECT_TRUE(queue.submit(seen.job(request())).is(Errc::unavailable)) << "it is nowhere";
  const std::uint64_t again = queue.add_replica();
  queue.set_head(again, 1, second);
  SeenAnswer next;
  const auto id = queue.submit(next.job(request()));
  EXPECT_NE(*old, *id);
  queue.cancel(*old);
  second->end(1, GenerateResult{.finish = FinishReason::stop});
  EXPECT_EQ(next.wait()->finish, FinishReason::stop);
}

TEST_F(ReplayQueueTest, JobsSpreadOverReplicasAndNobodyWaitsForALostOne) {
  const std::uint64_t other = queue.add_replica();
  queue.set_head(replica, 1, first);
  queue.set_head(other, 1, second);
  SeenAnswer next;
  ASSERT_TRUE(queue.submit(seen.job(request())));
  ASSERT_TRUE(queue.submit(next.job(request())));
  first->wait_for(1);
  second->wait_for(1);
  first->write(1, "a");
  first->lose();
  EXPECT_EQ(second->wait_for(2).written, ids_of("a"));
  queue.refuse(replica, 2, Error(Errc::out_of_memory, "fits once"));
  EXPECT_FALSE(seen.over()) << "the other one holds it";
  second->end(1, GenerateResult{});
  second->end(2, GenerateResult{});
  EXPECT_TRUE(seen.wait());
  EXPECT_TRUE(next.wait());
}

// The second node is lost while it computes a prompt for longer than the pause.
TEST(ReplayQueue, ThePauseCountsFromTheLatestLoss) {
  ManualClock clock;
  ReplayQueue queue({.instance = "stories", .pause_max = milliseconds(20), .driven = true}, clock);
  const std::uint64_t replica = queue.add_replica();
  SeenAnswer seen;
  const auto lose_one = [&](std::uint64_t epoch) {
    auto head = std::make_shared<ScriptedQueue>();
    queue.set_head(replica, epoch, head);
    queue.work();
    head->wait_for(1);
    clock.now += milliseconds(50);
    head->lose();
    queue.work();
  };
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));
  for (std::uint64_t loss = 1; loss <= ReplayQueue::kLossesMax; ++loss) {
    lose_one(loss);
    EXPECT_FALSE(seen.over()) << loss;
  }
  clock.now += milliseconds(19);
  queue.work();
  EXPECT_FALSE(seen.over());
  lose_one(ReplayQueue::kLossesMax + 1);
  ASSERT_TRUE(seen.over()) << "not for ever";
  EXPECT_NE(seen.wait().error().message().find("9 times before the next token"), std::string::npos)
      << seen.wait().error().message();
}

// Errors that a repetition would not heal are the client's to see.
TEST_F(ReplayQueueTest, PassesOtherErrorsOn) {
  queue.set_head(replica, 1, first);
  first->refuse(Error(Errc::busy, "12 requests are waiting already"));
  EXPECT_TRUE(queue.submit(seen.job(request())).is(Errc::busy)) << "the queue is full";
  first->refuse(Error(Errc::unavailable, "not ready here"));
  EXPECT_TRUE(queue.submit(seen.job(request())).is(Errc::unavailable));
  first->refuse(Error(Errc::invalid_argument, "the prompt is empty"));
  EXPECT_TRUE(queue.submit(seen.job(request())).is(Errc::invalid_argument));
  first->refuse(std::nullopt);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->end(1, Error(Errc::out_of_memory, "no memory"));
  EXPECT_TRUE(seen.wait().is(Errc::out_of_memory));
}

// Its client hears of full queues only when all of them are.
TEST_F(ReplayQueueTest, ANewRequestThatAFullHeadRefusesIsOfferedToTheOthers) {
  const Error full(Errc::busy, "8 requests wait");
  const std::uint64_t sibling = queue.add_replica();
  queue.set_head(replica, 1, first);
  queue.set_head(sibling, 1, second);
  first->refuse(full);  // at once, as this node's own engine does
  ASSERT_TRUE(queue.submit(seen.job(request())));
  EXPECT_EQ(second->wait_for(1).prompt, request().prompt);
  second->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait());

  first->refuse(std::nullopt);  // later, as the head on another node does
  second->refuse(full);
  SeenAnswer told;
  ASSERT_TRUE(queue.submit(told.job(request())));
  first->wait_for(1);
  first->end(1, full);
  EXPECT_TRUE(told.wait().is(Errc::busy));

  first->refuse(full);
  SeenAnswer also_told;
  ASSERT_TRUE(queue.submit(also_told.job(request())));
  EXPECT_TRUE(also_told.wait().is(Errc::busy));
}

// Everybody comes at once to the new head.
TEST_F(ReplayQueueTest, AHalfWrittenAnswerWaitsForRoomOnABusyHead) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "a");
  first->lose();
  second->refuse(Error(Errc::busy, "full"));
  queue.set_head(replica, 2, second);
  second->refuse(std::nullopt);
  second->wait_for(1);
  second->end(1, Error(Errc::busy, "full, says the other node"));
  second->wait_for(2);
  second->write(2, "ab");
  second->end(2, GenerateResult{});
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "ab");
}

// A queue that is ended flushes and cancels its jobs; what it flushes is no part of the answer.
TEST_F(ReplayQueueTest, MovesToANewHeadWhileTheOldOneLives) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "on");
  queue.set_head(replica, 2, second);
  first->wait_for_cancel(1);
  first->write(1, "XX");
  first->end(1, GenerateResult{.finish = FinishReason::cancelled});
  EXPECT_EQ(second->wait_for(1).written, ids_of("on"));
  queue.set_head(replica, 1, first);  // late news of an old epoch
  second->write(1, "once");
  second->end(1, GenerateResult{});
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "once");
}

// Its engine was ended and made anew, and nobody here heard of that.
TEST_F(ReplayQueueTest, AsksAHeadAgainThatGaveItUp) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "on");
  first->end(1, GenerateResult{.finish = FinishReason::cancelled});
  EXPECT_EQ(first->wait_for(2).written, ids_of("on"));
  first->write(2, "once");
  first->end(2, GenerateResult{});
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(seen.text(), "once");
}

// A head that ends its part says so before the map does. What waited once, long ago, must not be
// too late for that.
TEST(ReplayQueue, AHeadThatGivesUpWhatItHadTakenIsALoss) {
  ManualClock clock;
  ReplayQueue queue({.instance = "stories",
                     .pause_max = milliseconds(20),
                     .retry_every = milliseconds(1),
                     .driven = true},
                    clock);
  const std::uint64_t replica = queue.add_replica();
  SeenAnswer seen;
  ASSERT_TRUE(queue.submit(seen.job({.prompt = {1}})));  // it waits for a head
  const auto given_up = [&](ScriptedQueue& head, std::uint64_t job) {
    head.wait_for(job);
    head.end(job, GenerateResult{.finish = FinishReason::cancelled});
    queue.work();
  };
  auto head = std::make_shared<ScriptedQueue>();
  queue.set_head(replica, 1, head);
  queue.work();
  clock.now += milliseconds(50);  // a long prompt
  given_up(*head, 1);
  ASSERT_FALSE(seen.over()) << seen.wait().error().message();
  // The same head again, which has not gone yet: that is no further loss.
  clock.now += milliseconds(10);
  queue.work();
  given_up(*head, 2);
  queue.set_head(replica, 1, nullptr, "nova ends");
  clock.now += milliseconds(9);
  queue.work();
  EXPECT_FALSE(seen.over());
  clock.now += milliseconds(1);
  queue.work();
  EXPECT_TRUE(seen.over()) << "a pause after the loss";

  SeenAnswer next;
  ASSERT_TRUE(queue.submit(next.job({.prompt = {1}})));
  for (std::uint64_t epoch = 2; epoch < 2 + ReplayQueue::kLossesMax + 1; ++epoch) {
    EXPECT_FALSE(next.over()) << epoch;
    head = std::make_shared<ScriptedQueue>();
    queue.set_head(replica, epoch, head);
    clock.now += milliseconds(2);  // no head is asked sooner again
    queue.work();
    clock.now += milliseconds(50);
    given_up(*head, 1);
  }
  EXPECT_TRUE(next.over()) << "not for ever";
}

// Its old head may come to the end before it hears of that; the client has none of it.
TEST_F(ReplayQueueTest, CancelsWhatMoves) {
  queue.set_head(replica, 1, first);
  const auto id = queue.submit(seen.job(request()));
  queue.set_head(replica, 2, second);
  queue.cancel(*id);
  first->write(1, "all");
  first->end(1, GenerateResult{.completion_tokens = 3});
  EXPECT_EQ(seen.wait()->finish, FinishReason::cancelled);
  EXPECT_EQ(seen.wait()->completion_tokens, 0u);
}

TEST_F(ReplayQueueTest, AnotherAnswerThanTheDeliveredOneEndsIt) {
  queue.set_head(replica, 1, first);
  ASSERT_TRUE(queue.submit(seen.job(request())));
  first->write(1, "ab");
  first->lose();
  queue.set_head(replica, 2, second);
  second->wait_for(1);
  second->write(1, "ax");
  second->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait().is(Errc::corrupt));
  EXPECT_EQ(seen.text(), "ab");
}

// A simulation decides what time it is, and when the queue does something.
TEST(ReplayQueue, ADrivenOneActsOnlyWhenItIsTold) {
  ManualClock clock;
  ReplayQueue queue({.instance = "stories", .pause_max = milliseconds(20), .driven = true}, clock);
  const std::uint64_t replica = queue.add_replica();
  SeenAnswer goes_on, gives_up;
  ASSERT_TRUE(queue.submit(goes_on.job({.prompt = {1}})));
  auto head = std::make_shared<ScriptedQueue>();
  queue.set_head(replica, 1, head);
  queue.work();
  head->write(1, "a");
  head->end(1, GenerateResult{});
  EXPECT_TRUE(goes_on.over());
  queue.set_head(replica, 2, nullptr, "node atlas does not answer");
  ASSERT_TRUE(queue.submit(gives_up.job({.prompt = {2}})));
  queue.work();
  EXPECT_FALSE(gives_up.over());
  clock.now += milliseconds(20);
  EXPECT_FALSE(gives_up.over());
  queue.work();
  EXPECT_TRUE(gives_up.over());
  EXPECT_EQ(head.use_count(), 1) << "the head before was let go of";
}

TEST(ReplayQueue, EndsWhatIsLeftWhenItGoes) {
  const SystemClock clock;
  auto head = std::make_shared<ScriptedQueue>();
  SeenAnswer waits, runs;
  {
    ReplayQueue queue({.instance = "stories"}, clock);
    const std::uint64_t replica = queue.add_replica();
    ASSERT_TRUE(queue.submit(waits.job({.prompt = {1}})));
    queue.set_head(replica, 1, head);
    head->wait_for(1);
    ASSERT_TRUE(queue.submit(runs.job({.prompt = {2}})));
    head->lose();
    queue.set_head(replica, 2, std::make_shared<ScriptedQueue>());
  }
  EXPECT_EQ(waits.wait()->finish, FinishReason::cancelled);
  EXPECT_EQ(runs.wait()->finish, FinishReason::cancelled);
}

}  // namespace
}  // namespace drystone

#include "engine/job_intake.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

GenerationJob job(std::int32_t priority, std::string client, int* ended = nullptr) {
  return {.client = std::move(client),
          .request = {.prompt = {1}, .priority = priority},
          .on_done = [ended](const Result<GenerateResult>&) {
            if (ended != nullptr) ++*ended;
          }};
}

// Interactive before batch, and within one priority nobody waits for all of another's requests.
TEST(JobIntake, ByPriorityThenClientsInTurn) {
  const SystemClock clock;
  JobIntake intake(clock, 10, 0);
  const auto batch = *intake.push(job(5, "a")), first = *intake.push(job(0, "a")),
             second = *intake.push(job(0, "a")), other = *intake.push(job(0, "b"));
  EXPECT_EQ(intake.position(batch), 3u);
  EXPECT_EQ(intake.position(second), 2u);
  EXPECT_EQ(intake.first_priority(), 0);
  for (const auto id : {first, other, second, batch}) EXPECT_EQ(intake.take()->id, id);
  EXPECT_FALSE(intake.take());
  EXPECT_FALSE(intake.empty()) << "four are not over";
  for (const auto id : {first, other, second, batch}) intake.over(id);
  EXPECT_TRUE(intake.empty());
}

// A full queue says so at once; whoever finds a place free does not count.
TEST(JobIntake, TakesAsManyAsPlacesAndQueueHold) {
  const SystemClock clock;
  JobIntake intake(clock, 1, 2);
  const auto first = *intake.push(job(0, "a"));
  EXPECT_TRUE(intake.push(job(0, "a")));
  EXPECT_TRUE(intake.push(job(0, "a")));
  EXPECT_TRUE(intake.push(job(0, "a")).is(Errc::busy));
  intake.take();
  EXPECT_TRUE(intake.push(job(0, "a")).is(Errc::busy)) << "one place is taken now";
  intake.over(first);
  EXPECT_TRUE(intake.push(job(0, "a")));
  intake.cancel_all();
}

// Exactly one end for each job, whenever its client leaves.
TEST(JobIntake, CancelEndsWhatWaitsAndMarksWhatWasTaken) {
  const SystemClock clock;
  JobIntake intake(clock, 4, 1);
  int ended = 0;
  const auto taken = *intake.push(job(0, "a", &ended));
  const auto waiting = *intake.push(job(0, "a", &ended));
  intake.take();
  intake.cancel(waiting);
  EXPECT_EQ(ended, 1);
  intake.cancel(taken);
  intake.cancel(12345);  // unknown: nothing
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(intake.take_cancelled(), std::set<std::uint64_t>{taken});
  EXPECT_TRUE(intake.take_cancelled().empty());
  EXPECT_EQ(intake.waiting(), 0u);
}

}  // namespace
}  // namespace drystone

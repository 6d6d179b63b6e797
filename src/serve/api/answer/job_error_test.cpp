#include "serve/api/answer/job_error.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// Clients come back soon to a full queue; a model that is nowhere is no rate limit.
TEST(JobError, OnlyAFullQueueIsARateLimit) {
  const ApiError full = not_taken(Error(Errc::busy, "64 requests are waiting already"));
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.code, "queue_full");
  EXPECT_EQ(full.retry_after_s, 5);
  const ApiError nowhere = not_taken(Error(Errc::unavailable, "is placed on no node now"));
  EXPECT_EQ(nowhere.status, 503);
  EXPECT_EQ(nowhere.code, "unavailable");
  EXPECT_EQ(not_taken(Error(Errc::out_of_memory, "needs 9 GiB")).code, "out_of_memory");
  EXPECT_EQ(not_taken(Error(Errc::limit, "too long")).code, "context_length_exceeded");
}

}  // namespace
}  // namespace drystone

#include "engine/fair_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace drystone {
namespace {

std::vector<std::uint64_t> drain(FairQueue& queue) {
  std::vector<std::uint64_t> ids;
  while (const auto id = queue.pop()) ids.push_back(*id);
  return ids;
}

// A person must not wait behind the whole of a batch job.
TEST(FairQueue, ClientsTakeTurnsAndKeepTheirOwnOrder) {
  FairQueue queue(10);
  for (const std::uint64_t id : {1, 2, 3}) queue.push("batch", id);
  queue.push("person", 10);
  queue.push("other", 20);
  queue.push("person", 11);

  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{1, 10, 20, 2, 11, 3}));
}

TEST(FairQueue, PositionIsTheNumberOfPopsBefore) {
  FairQueue queue(10);
  for (const std::uint64_t id : {1, 2, 3}) queue.push("batch", id);
  queue.push("person", 10);
  queue.push("person", 11);
  std::vector<std::size_t> said;
  for (const std::uint64_t id : {1, 10, 2, 11, 3}) said.push_back(*queue.position(id));

  EXPECT_EQ(said, (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{1, 10, 2, 11, 3}));
  EXPECT_FALSE(queue.position(1));
}

TEST(FairQueue, HoldsNoMoreThanItsMaximum) {
  FairQueue queue(2);
  EXPECT_TRUE(queue.push("a", 1));
  EXPECT_TRUE(queue.push("b", 2));
  EXPECT_FALSE(queue.push("c", 3));
  EXPECT_TRUE(queue.erase(1));
  EXPECT_FALSE(queue.erase(1));
  EXPECT_TRUE(queue.push("c", 3));
  EXPECT_EQ(drain(queue), (std::vector<std::uint64_t>{2, 3}));
}

}  // namespace
}  // namespace drystone

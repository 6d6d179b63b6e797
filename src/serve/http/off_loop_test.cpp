#include "serve/http/off_loop.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

namespace drystone {
namespace {

namespace asio = boost::asio;

// What run() returned, in the order in which the jobs were over.
std::vector<std::optional<ApiError>> run_all(const std::vector<std::function<void()>>& jobs) {
  asio::io_context loop;
  OffLoop off_loop;  // ends first: its thread wakes the loop
  std::vector<std::optional<ApiError>> refusals;
  const auto one = [&](const std::function<void()>& job) -> asio::awaitable<void> {
    auto refusal = co_await off_loop.run(job);
    refusals.push_back(std::move(refusal));
  };
  for (const auto& job : jobs) asio::co_spawn(loop, one(job), asio::detached);
  loop.run();
  return refusals;
}

// A request that needs more memory than there is must not take the others' server with it.
TEST(OffLoop, AJobThatThrowsEndsAlone) {
  bool ran = false;
  const auto refusals =
      run_all({[] { throw std::bad_alloc(); }, [] { throw std::length_error("long"); },
               [] { throw 5; }, [&] { ran = true; }});
  ASSERT_EQ(refusals.size(), 4u);
  ASSERT_TRUE(refusals[0] && refusals[1] && refusals[2]);
  EXPECT_EQ(refusals[0]->status, 503);
  EXPECT_EQ(refusals[0]->code, "out_of_memory");
  EXPECT_GT(refusals[0]->retry_after_s, 0);
  EXPECT_EQ(refusals[1]->status, 500);
  EXPECT_EQ(refusals[2]->status, 500);
  EXPECT_FALSE(refusals[3]);
  EXPECT_TRUE(ran);
}

TEST(OffLoop, RunsItsJobsInOrderAndOffTheLoop) {
  std::vector<int> order;
  std::thread::id there;
  run_all({[&] { order.push_back(1), there = std::this_thread::get_id(); },
           [&] { order.push_back(2); }, [&] { order.push_back(3); }});
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_NE(there, std::this_thread::get_id());
}

// What takes long has a thread of its own, so that a short question need not wait for it.
TEST(OffLoop, ALongJobHoldsUpItsOwnThreadAlone) {
  std::promise<void> answered;
  asio::io_context loop;
  OffLoop slow, quick;
  std::vector<int> order;
  const std::function<void()> wait = [&] { answered.get_future().wait(); }, nothing = [] {};
  const auto one = [&](OffLoop& where, const std::function<void()>& job,
                       int number) -> asio::awaitable<void> {
    co_await where.run(job);
    order.push_back(number);
    if (number == 2) answered.set_value();
  };
  asio::co_spawn(loop, one(slow, wait, 1), asio::detached);
  asio::co_spawn(loop, one(quick, nothing, 2), asio::detached);
  loop.run();
  EXPECT_EQ(order, (std::vector{2, 1}));
}

}  // namespace
}  // namespace drystone

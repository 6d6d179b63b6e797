#include "net/loop_timer.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

namespace drystone {
namespace {

using std::chrono::milliseconds;

// The loop takes all timers whose time has come at once, in their order: when the first handler
// runs, the others stand in the queue already, as after a pause of the process.
class LoopTimerTest : public testing::Test {
 protected:
  boost::asio::io_context loop_{1};
  std::vector<int> called_;
};

TEST_F(LoopTimerTest, CallsOnceAfterItsTime) {
  LoopTimer timer(loop_.get_executor());
  timer.after(milliseconds(1), [&] { called_.push_back(1); });
  loop_.run();
  EXPECT_EQ(called_, std::vector{1});
}

TEST_F(LoopTimerTest, OneThatHasEndedIsNotCalledThoughItStandsInTheQueue) {
  LoopTimer first(loop_.get_executor());
  std::optional<LoopTimer> second(std::in_place, loop_.get_executor());
  first.after(milliseconds(0), [&] {
    called_.push_back(1);
    second.reset();
  });
  second->after(milliseconds(0), [&] { called_.push_back(2); });
  loop_.run();
  EXPECT_EQ(called_, std::vector{1});
}

TEST_F(LoopTimerTest, OneThatWasCancelledOrSetAnewIsNotCalledForItsEarlierTime) {
  LoopTimer first(loop_.get_executor()), cancelled(loop_.get_executor()),
      again(loop_.get_executor());
  first.after(milliseconds(0), [&] {
    called_.push_back(1);
    cancelled.cancel();
    again.after(milliseconds(1), [&] { called_.push_back(4); });
  });
  cancelled.after(milliseconds(0), [&] { called_.push_back(2); });
  again.after(milliseconds(0), [&] { called_.push_back(3); });
  loop_.run();
  EXPECT_EQ(called_, (std::vector{1, 4}));
}

TEST_F(LoopTimerTest, AHandlerMayUseAndEndItsOwnTimer) {
  std::optional<LoopTimer> timer(std::in_place, loop_.get_executor());
  timer->after(milliseconds(0), [&] {
    called_.push_back(1);
    timer->after(milliseconds(0), [&] {
      called_.push_back(2);
      timer.reset();
      called_.push_back(3);
    });
  });
  loop_.run();
  EXPECT_EQ(called_, (std::vector{1, 2, 3}));
}

}  // namespace
}  // namespace drystone

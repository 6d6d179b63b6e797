#include "app/node/peers/discovery.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "net/loop_timer.h"

namespace drystone {
namespace {

// A node that was frozen has the time of the next packet behind it when it ends, as it does after
// `join`: what stands in the loop's queue then must not reach what is gone.
TEST(Discovery, NothingIsSentAfterItsEndThoughItsTimeHadCome) {
  boost::asio::io_context loop{1};
  const SystemClock clock;
  std::unique_ptr<Discovery> discovery;
  LoopTimer end(loop.get_executor());
  end.after(std::chrono::milliseconds(0), [&] { discovery.reset(); });
  int asked = 0;
  auto opened = Discovery::open(loop.get_executor(), clock,
                                {.keys =
                                     [&] {
                                       ++asked;
                                       return std::vector<DiscoveryKey>();
                                     },
                                 .every = [] { return std::chrono::milliseconds(0); },
                                 .heard = [](const auto&, const auto&) {}});
  ASSERT_TRUE(opened);
  discovery = *std::move(opened);
  discovery->send_now();
  loop.run();
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace drystone

#include "app/node/peers/guarded_streams.h"

#include <gtest/gtest.h>

#include "app/node/peers/test_closing_stream.h"

namespace drystone {
namespace {

// A node that was put out must not go on reading what its connections carry.
TEST(GuardedStreams, ThoseOfOneNodeAreClosedTogether) {
  const PublicKey nova = NodeKey::make().public_key(), atlas = NodeKey::make().public_key();
  bool closed[3] = {};
  auto streams = std::make_unique<GuardedStreams>();
  auto first = streams->guard(std::make_unique<TestClosingStream>(nova, closed[0]));
  auto second = streams->guard(std::make_unique<TestClosingStream>(nova, closed[1]));
  auto other = streams->guard(std::make_unique<TestClosingStream>(atlas, closed[2]));
  second.reset();
  EXPECT_EQ(streams->size(), 2U);
  streams->close_all_of(nova);
  EXPECT_TRUE(closed[0]);
  EXPECT_FALSE(closed[1]) << "it was gone";
  EXPECT_FALSE(closed[2]);
  streams.reset();
  first.reset();  // a stream may outlive those who guard it
  EXPECT_EQ(other->peer().key, atlas);
}

}  // namespace
}  // namespace drystone

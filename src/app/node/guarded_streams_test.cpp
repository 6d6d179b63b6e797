#include "app/node/guarded_streams.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

class FakeStream final : public DataStream {
 public:
  FakeStream(const PublicKey& key, bool& closed) : closed_(closed), peer_{.key = key} {}
  Result<void> write(Parts, StreamWait) override { return {}; }
  Result<void> read(std::span<std::byte>, StreamWait) override { return {}; }
  Result<void> exchange(Parts, std::span<std::byte>, StreamWait) override { return {}; }
  void close() override { closed_ = true; }
  const StreamPeer& peer() const override { return peer_; }

 private:
  bool& closed_;
  StreamPeer peer_;
};

// A node that was put out must not go on reading what its connections carry.
TEST(GuardedStreams, ThoseOfOneNodeAreClosedTogether) {
  const PublicKey nova = NodeKey::make().public_key(), atlas = NodeKey::make().public_key();
  bool closed[3] = {};
  auto streams = std::make_unique<GuardedStreams>();
  auto first = streams->guard(std::make_unique<FakeStream>(nova, closed[0]));
  auto second = streams->guard(std::make_unique<FakeStream>(nova, closed[1]));
  auto other = streams->guard(std::make_unique<FakeStream>(atlas, closed[2]));
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

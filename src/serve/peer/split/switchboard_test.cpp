#include "serve/peer/split/switchboard.h"

#include <gtest/gtest.h>

#include "net/frame.h"
#include "net/memory_stream.h"

namespace drystone {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

StreamName name_of(std::uint32_t from) {
  return {.instance = "m", .epoch = {.number = 1, .keeper = "k"}, .from = from, .to = 0};
}

std::unique_ptr<DataStream> greet(Switchboard& board, const StreamName& name) {
  auto [here, there] = make_memory_streams();
  FrameStream frames(*here, {.payload_bytes_max = kHelloBytesMax});
  EXPECT_TRUE(frames.write({.type = static_cast<std::uint16_t>(PeerFrame::hello)}, {encode(name)},
                           {.within = seconds(1)}));
  board.accept(std::move(there));
  return std::move(here);
}

struct SwitchboardTest : ::testing::Test {
  SystemClock clock;
  Switchboard board{clock};
  std::atomic<bool> stop = false;
};

// A placement is known here later than there, or sooner.
TEST_F(SwitchboardTest, GivesStreamsByNameWhenTheyCome) {
  auto second = greet(board, name_of(2));
  auto first = greet(board, name_of(1));
  auto taken = board.take(name_of(1), "node", seconds(5), stop);
  ASSERT_TRUE(taken) << taken.error().message();
  const std::byte byte{7};
  ASSERT_TRUE(first->write(std::span(&byte, 1), {.within = seconds(1)}));
  std::byte read{};
  ASSERT_TRUE((*taken)->read(std::span(&read, 1), {.within = seconds(1)}));
  EXPECT_EQ(read, byte);
  EXPECT_TRUE(board.take(name_of(2), "node", seconds(5), stop));
  EXPECT_TRUE(board.take(name_of(2), "node", milliseconds(1), stop).is(Errc::unavailable));
}

TEST_F(SwitchboardTest, ClosesWhatDoesNotSayWhatItIs) {
  auto [here, there] = make_memory_streams();
  board.accept(std::move(there));
  const std::vector<std::byte> noise(64, std::byte{0x41});
  ASSERT_TRUE(here->write(noise, {.within = seconds(1)}));
  std::byte byte;
  EXPECT_FALSE(here->read(std::span(&byte, 1), {.within = seconds(5)}));
  EXPECT_EQ(board.parked(), 0u);
}

TEST_F(SwitchboardTest, HoldsABoundedNumber) {
  std::vector<std::unique_ptr<DataStream>> ends;
  for (std::size_t i = 0; i < Switchboard::kGreetingsMax + 1; ++i) {
    auto [here, there] = make_memory_streams();
    board.accept(std::move(there));
    ends.push_back(std::move(here));
  }
  std::byte byte;
  EXPECT_TRUE(ends.back()->read(std::span(&byte, 1), {.within = seconds(5)}).is(Errc::closed));
}

TEST_F(SwitchboardTest, CloseWakesWhoWaits) {
  auto [silent, there] = make_memory_streams();
  board.accept(std::move(there));
  std::jthread closer([&] { board.close(); });
  EXPECT_TRUE(board.take(name_of(1), "node", seconds(60), stop).is(Errc::cancelled));
}

}  // namespace
}  // namespace drystone

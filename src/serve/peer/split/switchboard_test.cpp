#include "serve/peer/split/switchboard.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "net/frame.h"
#include "net/test_memory_stream.h"

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

// Says nothing until it is closed.
struct SilentStream : DataStream {
  explicit SilentStream(std::latch& reading) : reading_(reading) {}
  Result<void> write(Parts, StreamWait) override { return {}; }
  Result<void> read(std::span<std::byte>, StreamWait) override {
    reading_.count_down();
    if (silent) closed_.wait();
    return Error(Errc::cancelled, "closed");
  }
  Result<void> exchange(Parts, std::span<std::byte>, StreamWait) override { return {}; }
  void close() override {
    if (!over_.exchange(true)) closed_.count_down();
  }
  const StreamPeer& peer() const override { return peer_; }
  bool silent = true;

 private:
  std::latch& reading_;
  std::latch closed_{1};
  std::atomic<bool> over_ = false;
  StreamPeer peer_;
};

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
  const std::vector<std::byte> noise(64, std::byte{0x41});
  ASSERT_TRUE(here->write(noise, {.within = seconds(1)}));
  board.accept(std::move(there));
  std::byte byte;
  EXPECT_FALSE(here->read(std::span(&byte, 1), {.within = seconds(5)}));
  EXPECT_EQ(board.parked(), 0u);
}

TEST_F(SwitchboardTest, HoldsABoundedNumber) {
  std::latch reading(Switchboard::kGreetingsMax);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < Switchboard::kGreetingsMax; ++i)
    threads.emplace_back([&] { board.accept(std::make_unique<SilentStream>(reading)); });
  reading.wait();
  auto [here, there] = make_memory_streams();
  board.accept(std::move(there));
  std::byte byte;
  EXPECT_TRUE(here->read(std::span(&byte, 1), {.within = seconds(5)}).is(Errc::closed));
  board.close();  // wakes them all
}

// A stream says goodbye when it goes, which may take a while: no other waits for that.
TEST_F(SwitchboardTest, WhatGoesHoldsUpNobody) {
  struct Slow final : SilentStream {
    Slow(std::latch& reading, Switchboard& to) : SilentStream(reading), board(to) {}
    void close() override {
      static_cast<void>(board.parked());  // takes the lock: another thread would wait for it
      SilentStream::close();
    }
    Switchboard& board;
  };
  std::latch reading(1);
  auto slow = std::make_unique<Slow>(reading, board);
  slow->silent = false;
  board.accept(std::move(slow));  // says nothing and is refused
  EXPECT_EQ(board.parked(), 0u);
}

TEST_F(SwitchboardTest, CloseWakesWhoWaits) {
  auto [silent, there] = make_memory_streams();
  std::jthread reader([&] { board.accept(std::move(there)); });
  std::jthread closer([&] { board.close(); });
  EXPECT_TRUE(board.take(name_of(1), "node", seconds(60), stop).is(Errc::cancelled));
}

}  // namespace
}  // namespace drystone

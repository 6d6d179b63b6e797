#include "net/data_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "net/tcp_data_stream.h"
#include "net/test_bytes.h"
#include "net/test_channels.h"
#include "net/test_memory_stream.h"
#include "net/tls_data_stream.h"

namespace drystone {
namespace {

using namespace std::chrono_literals;

constexpr StreamWait kLong{.within = 20s};

// Every kind of stream keeps the same promises.
struct Kind {
  const char* name;
  std::pair<std::unique_ptr<DataStream>, std::unique_ptr<DataStream>> (*make)();
};

const SystemClock& test_clock() {
  static const SystemClock clock;
  return clock;
}

auto make_tcp_streams() {
  SocketPair sockets;
  return std::pair(make_tcp_stream(std::move(sockets.client), test_clock()),
                   make_tcp_stream(std::move(sockets.server), test_clock()));
}

auto make_tls_streams() {
  static const TestNode atlas, nova;
  ChannelPair pair(atlas, nova);
  pair.shake_hands();
  CHECK(pair.shaken());
  return std::pair(
      make_tls_stream(std::move(pair.sockets.client), std::move(pair.client), test_clock()),
      make_tls_stream(std::move(pair.sockets.server), std::move(pair.server), test_clock()));
}

auto make_small_memory_streams() { return make_memory_streams(4096); }

class DataStreamTest : public testing::TestWithParam<Kind> {
 protected:
  DataStreamTest() { std::tie(a_, b_) = GetParam().make(); }
  std::unique_ptr<DataStream> a_, b_;
};

INSTANTIATE_TEST_SUITE_P(All, DataStreamTest,
                         testing::Values(Kind{"tls", make_tls_streams},
                                         Kind{"tcp", make_tcp_streams},
                                         Kind{"memory", make_small_memory_streams}),
                         [](const auto& info) { return info.param.name; });

TEST_P(DataStreamTest, CarriesWhatIsWrittenWhateverThePieces) {
  const auto all = pattern(200'000, 1);
  std::thread writer([&] {
    std::size_t at = 0;
    for (const std::size_t size : {0, 1, 16, 8192, 16384, 16385, 100'000}) {
      ASSERT_TRUE(a_->write(std::span(all).subspan(at, size), kLong));
      at += size;
    }
    const std::array<std::span<const std::byte>, 4> parts = {
        std::span(all).subspan(at, 16), std::span(all).subspan(at + 16, 0),
        std::span(all).subspan(at + 16, 30'000), std::span(all).subspan(at + 30'016)};
    ASSERT_TRUE(a_->write(parts, kLong));
  });
  std::vector<std::byte> got(all.size());
  std::size_t at = 0;
  for (std::size_t size = 1; at < got.size();
       at += size, size = std::min(size * 3, got.size() - at))
    ASSERT_TRUE(b_->read(std::span(got).subspan(at, size), kLong));
  writer.join();
  EXPECT_EQ(got, all);
}

// A stage sends one step while it receives the next.
TEST_P(DataStreamTest, OneThreadWritesWhileAnotherReads) {
  constexpr int kMessages = 300;
  const auto send = [](DataStream& stream, std::uint64_t seed) {
    for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(stream.write(pattern(5000, seed + i), kLong));
  };
  const auto receive = [](DataStream& stream, std::uint64_t seed) {
    std::vector<std::byte> got(5000);
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(stream.read(got, kLong));
      ASSERT_EQ(got, pattern(5000, seed + i));
    }
  };
  std::thread threads[] = {
      std::thread(send, std::ref(*a_), 1), std::thread(send, std::ref(*b_), 9000),
      std::thread(receive, std::ref(*b_), 1), std::thread(receive, std::ref(*a_), 9000)};
  for (auto& thread : threads) thread.join();
}

// Two nodes that reduce both write before they read: that must not lock up below what the system
// holds.
TEST_P(DataStreamTest, BothMayWriteFirst) {
  const auto mine = pattern(2000, 1), theirs = pattern(2000, 2);
  std::vector<std::byte> got(2000);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(a_->write(mine, kLong));
    ASSERT_TRUE(b_->write(theirs, kLong));
    ASSERT_TRUE(a_->read(got, {.within = 20s, .spin = 1ms}));
    EXPECT_EQ(got, theirs);
    ASSERT_TRUE(b_->read(got, {.within = 20s, .spin = 1ms}));
    EXPECT_EQ(got, mine);
  }
}

// A long prompt's partial sums are larger than what the system holds for a socket.
TEST_P(DataStreamTest, AnExchangeOfAnySizeDoesNotLockUp) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{8192}, std::size_t{6} << 20}) {
    const auto mine = pattern(size, 1), theirs = pattern(size / 2 + 1, 2);
    std::vector<std::byte> got(theirs.size()), they_got(mine.size());
    std::thread other([&] {
      const std::span<const std::byte> part(theirs);
      const auto done = b_->exchange({&part, 1}, they_got, kLong);
      EXPECT_TRUE(done) << done.error().message();
    });
    const std::array<std::span<const std::byte>, 2> parts = {std::span(mine).first(size / 3),
                                                             std::span(mine).subspan(size / 3)};
    const auto done = a_->exchange(parts, got, kLong);
    EXPECT_TRUE(done) << done.error().message();
    other.join();
    EXPECT_EQ(got, theirs);
    EXPECT_EQ(they_got, mine);
  }
}

TEST_P(DataStreamTest, ASilentPeerEndsTheWait) {
  std::byte byte;
  EXPECT_TRUE(a_->read(std::span(&byte, 1), {.within = 5ms}).is(Errc::unavailable));
  EXPECT_TRUE(a_->read(std::span(&byte, 1), {.within = 5ms, .spin = 1s}).is(Errc::unavailable));
}

// A rank that waits for the others reads ahead meanwhile.
TEST_P(DataStreamTest, WhoSpinsDoesSomethingElseMeanwhile) {
  if (GetParam().make == make_small_memory_streams) GTEST_SKIP() << "these never spin";
  int calls = 0;
  const std::function<void()> meanwhile = [&] {
    if (++calls == 3) {
      EXPECT_TRUE(b_->write(pattern(8, 1), kLong));
    }
  };
  std::vector<std::byte> got(8);
  ASSERT_TRUE(a_->read(got, {.within = 20s, .spin = 20s, .meanwhile = &meanwhile}));
  EXPECT_EQ(got, pattern(8, 1));
  EXPECT_GE(calls, 3);
}

TEST_P(DataStreamTest, APeerThatDoesNotReadEndsTheWait) {
  const auto bytes = pattern(8 << 20, 1);
  EXPECT_TRUE(a_->write(bytes, {.within = 5ms}).is(Errc::unavailable));
}

// An instance that is unloaded must not wait for a peer that hangs.
TEST_P(DataStreamTest, CloseWakesTheReader) {
  for (const auto spin : {0ms, 20'000ms}) {
    std::tie(a_, b_) = GetParam().make();
    std::atomic<bool> reads = false;
    std::thread reader([&] {
      std::byte byte;
      reads = true;
      const auto read = a_->read(std::span(&byte, 1), {.within = 20s, .spin = spin});
      EXPECT_TRUE(read.is(Errc::cancelled)) << read.error().message();
    });
    while (!reads) std::this_thread::yield();
    a_->close();
    reader.join();
    EXPECT_TRUE(a_->write(pattern(1, 1), kLong).is(Errc::cancelled));
  }
}

TEST_P(DataStreamTest, CloseWakesTheWriter) {
  std::atomic<bool> writes = false;
  std::thread writer([&] {
    const auto bytes = pattern(8 << 20, 1);
    writes = true;
    EXPECT_TRUE(a_->write(bytes, kLong).is(Errc::cancelled));
  });
  while (!writes) std::this_thread::yield();
  a_->close();
  writer.join();
}

TEST_P(DataStreamTest, AGoodbyeBetweenMessagesIsNoFault) {
  ASSERT_TRUE(a_->write(pattern(10, 1), kLong));
  a_->close();
  std::vector<std::byte> got(10);
  ASSERT_TRUE(b_->read(got, kLong));
  EXPECT_EQ(got, pattern(10, 1));
  EXPECT_TRUE(b_->read(got, kLong).is(Errc::closed));
}

TEST_P(DataStreamTest, AGoodbyeInTheMidstOfAMessageIsAFault) {
  ASSERT_TRUE(a_->write(pattern(9, 1), kLong));
  a_->close();
  std::vector<std::byte> got(10);
  EXPECT_TRUE(b_->read(got, kLong).is(Errc::io));
}

TEST_P(DataStreamTest, APeerThatIsGoneEndsTheWriter) {
  b_.reset();
  const auto bytes = pattern(8 << 20, 1);
  const auto written = a_->write(bytes, kLong);
  EXPECT_TRUE(written.is(Errc::io)) << (written ? "no error" : written.error().message());
}

}  // namespace
}  // namespace drystone

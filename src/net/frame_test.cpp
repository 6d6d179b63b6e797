#include "net/frame.h"

#include <gtest/gtest.h>

#include "net/test_bytes.h"
#include "net/test_memory_stream.h"

namespace drystone {
namespace {

using namespace std::chrono_literals;

constexpr StreamWait kLong{.within = 20s};

class FrameTest : public testing::Test {
 protected:
  explicit FrameTest(std::pair<std::unique_ptr<DataStream>, std::unique_ptr<DataStream>> streams =
                         make_memory_streams())
      : a_(std::move(streams.first)), b_(std::move(streams.second)) {}
  std::unique_ptr<DataStream> a_, b_;
  FrameStream from_{*a_, {.payload_bytes_max = 1000}}, to_{*b_, {.payload_bytes_max = 1000}};
};

TEST_F(FrameTest, ComesAsItWasSent) {
  const auto head = pattern(12, 1), body = pattern(500, 2);
  ASSERT_TRUE(from_.write({.type = 7, .flags = 3, .tag = 99}, {head, body}, kLong));

  const auto header = to_.read_header(kLong);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, (FrameHeader{.type = 7, .flags = 3, .payload_bytes = 512, .tag = 99}));
  std::vector<std::byte> first(12);
  ASSERT_TRUE(to_.read_payload(first, kLong));
  EXPECT_EQ(first, head);
  EXPECT_EQ(to_.payload_left(), 500U);
  EXPECT_EQ(to_.read_rest(kLong).value(), body);
}

TEST_F(FrameTest, WhatIsNotReadIsSkipped) {
  ASSERT_TRUE(from_.write({.type = 1}, {pattern(900, 1)}, kLong));
  ASSERT_TRUE(from_.write({.type = 2}, {}, kLong));
  EXPECT_EQ(to_.read_header(kLong).value().type, 1);
  EXPECT_EQ(to_.read_header(kLong).value().type, 2);
  EXPECT_EQ(to_.payload_left(), 0U);
}

TEST_F(FrameTest, TheLayoutIsFixed) {
  const auto bytes = encode({.type = 0x0102, .flags = 0x0304, .payload_bytes = 5, .tag = 6});
  EXPECT_EQ(std::vector(bytes.begin(), bytes.end()), from_hex("02010403050000000600000000000000"));
}

TEST_F(FrameTest, ALargerOneIsNeitherSentNorTaken) {
  EXPECT_TRUE(from_.write({.type = 1}, {pattern(1001, 1)}, kLong).is(Errc::invalid_argument));
  ASSERT_TRUE(a_->write(encode({.type = 1, .payload_bytes = 1001}), kLong));
  EXPECT_TRUE(to_.read_header(kLong).is(Errc::corrupt));
}

TEST_F(FrameTest, ZeroesAreNoFrame) {
  ASSERT_TRUE(a_->write(std::vector<std::byte>(16), kLong));
  EXPECT_TRUE(to_.read_header(kLong).is(Errc::corrupt));
}

TEST_F(FrameTest, AGoodbyeIsToldFromACutFrame) {
  ASSERT_TRUE(from_.write({.type = 1}, {pattern(10, 1)}, kLong));
  ASSERT_TRUE(a_->write(encode({.type = 1, .payload_bytes = 10}), kLong));
  a_->close();
  ASSERT_TRUE(to_.read_header(kLong));
  ASSERT_TRUE(to_.read_header(kLong));
  EXPECT_TRUE(to_.read_rest(kLong).is(Errc::io));

  const auto [from, there] = make_memory_streams();
  FrameStream to(*there, {.payload_bytes_max = 10});
  from->close();
  EXPECT_TRUE(to.read_header(kLong).is(Errc::closed));
}

}  // namespace
}  // namespace drystone

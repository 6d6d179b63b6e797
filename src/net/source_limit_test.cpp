#include "net/source_limit.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;

// A flood from one machine must not keep the others from being heard.
TEST(SourceLimit, OneSourceGetsItsMeasureAndNoMore) {
  SourceLimit limit({.per_second = 2, .burst = 3});
  const auto flooder = make_address("10.0.0.1"), other = make_address("10.0.0.2");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admit(flooder, 0s));
  EXPECT_FALSE(limit.admit(flooder, 0s));
  EXPECT_TRUE(limit.admit(other, 0s));
  EXPECT_FALSE(limit.admit(flooder, 400ms));
  EXPECT_TRUE(limit.admit(flooder, 1s));
  EXPECT_FALSE(limit.admit(flooder, 1s));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admit(flooder, 1h));
  EXPECT_FALSE(limit.admit(flooder, 1h));
}

TEST(SourceLimit, AddressesOfOneV6NetworkAreOneSource) {
  SourceLimit limit({.per_second = 1, .burst = 1});
  EXPECT_TRUE(limit.admit(make_address("2001:db8::1"), 0s));
  EXPECT_FALSE(limit.admit(make_address("2001:db8::2"), 0s));
  EXPECT_TRUE(limit.admit(make_address("2001:db8:0:1::2"), 0s));
  EXPECT_TRUE(limit.admit(make_address("fe80::1"), 0s));
  EXPECT_TRUE(limit.admit(make_address("fe80::2"), 0s));
}

// Whoever invents addresses must not make us remember them all.
TEST(SourceLimit, RemembersNoMoreThanItsMaximumAndStrangersShareTheRest) {
  SourceLimit limit({.per_second = 1, .burst = 2, .sources_max = 3});
  for (const char* address : {"10.0.0.1", "10.0.0.2", "10.0.0.3"})
    EXPECT_TRUE(limit.admit(make_address(address), 0s));
  EXPECT_TRUE(limit.admit(make_address("10.0.0.4"), 0s));
  EXPECT_TRUE(limit.admit(make_address("10.0.0.5"), 0s));
  EXPECT_FALSE(limit.admit(make_address("10.0.0.6"), 0s));
  EXPECT_TRUE(limit.admit(make_address("10.0.0.1"), 0s)) << "who is known keeps its measure";
  EXPECT_EQ(limit.sources(), 3U);
  EXPECT_TRUE(limit.admit(make_address("10.0.0.6"), 10s)) << "idle ones make room";
  EXPECT_EQ(limit.sources(), 1U);
}

}  // namespace
}  // namespace drystone

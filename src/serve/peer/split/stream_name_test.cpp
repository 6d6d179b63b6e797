#include "serve/peer/split/stream_name.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

const StreamName kName{.instance = "llama-8b#1",
                       .epoch = {.number = 7, .keeper = "abc"},
                       .from = 2,
                       .to = 1,
                       .role = StreamRole::reduce};

TEST(StreamName, ReadsWhatWasWritten) { EXPECT_EQ(*parse_stream_name(encode(kName)), kName); }

TEST(StreamName, RefusesAnythingElse) {
  const auto bytes = encode(kName);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_TRUE(parse_stream_name(std::span(bytes).first(size)).is(Errc::corrupt)) << size;
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_TRUE(parse_stream_name(longer).is(Errc::corrupt));
  for (const std::uint8_t role : {0, 4, 255}) {
    auto other = bytes;
    other.back() = static_cast<std::byte>(role);
    EXPECT_TRUE(parse_stream_name(other).is(Errc::corrupt));
  }
  StreamName itself = kName;
  itself.from = itself.to;
  EXPECT_TRUE(parse_stream_name(encode(itself)).is(Errc::corrupt));
  StreamName far = kName;
  far.to = kPartsMax;
  EXPECT_TRUE(parse_stream_name(encode(far)).is(Errc::corrupt));
  StreamName wide = kName;
  wide.instance = std::string(400, 'a');
  EXPECT_TRUE(parse_stream_name(encode(wide)).is(Errc::corrupt));
}

}  // namespace
}  // namespace drystone

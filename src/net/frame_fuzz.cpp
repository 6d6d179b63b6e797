// Any bytes as a stream of frames: each is within its bound and comes back as it went, until the
// bytes end or make no sense.
#include <cstdint>

#include "net/frame.h"
#include "net/test_memory_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  constexpr StreamWait kWait{.within = std::chrono::seconds(10)};
  constexpr std::uint32_t kPayloadBytesMax = 300;
  if (size == 0 || size > 1 << 16) return 0;
  auto [from, to] = make_memory_streams(1 << 17);
  CHECK(from->write(std::as_bytes(std::span(data, size)), kWait));
  from->close();
  FrameStream frames(*to, {.payload_bytes_max = kPayloadBytesMax});
  std::size_t at = 0;
  while (true) {
    const auto header = frames.read_header(kWait);
    if (!header) {
      CHECK(!header.is(Errc::unavailable) && !header.error().message().empty());
      return 0;
    }
    CHECK(header->payload_bytes <= kPayloadBytesMax);
    const auto again = encode(*header);
    CHECK(
        std::equal(again.begin(), again.end(), std::as_bytes(std::span(data, size)).begin() + at));
    at += again.size() + header->payload_bytes;
    if (header->flags % 2 == 0) {
      const auto rest = frames.read_rest(kWait);
      if (!rest) return 0;
      CHECK(rest->size() == header->payload_bytes);
    }
  }
}

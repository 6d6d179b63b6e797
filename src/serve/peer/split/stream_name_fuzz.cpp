// The payload of a hello: what is taken is written as it was read.
#include <algorithm>
#include <cstdint>

#include "serve/peer/split/stream_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto name = parse_stream_name(bytes);
  if (name) CHECK(std::ranges::equal(encode(*name), bytes));
  return 0;
}

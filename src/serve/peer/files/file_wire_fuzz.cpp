// Messages about model files as another node may send them. The first byte picks the kind; what is
// read must be written and read again as the same bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "serve/peer/files/file_wire.h"

namespace {

void check_same(const std::vector<std::byte>& again, std::span<const std::byte> message) {
  CHECK(std::ranges::equal(again, message), again.size(), message.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  if (size == 0) return 0;
  const auto message = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 4) {
    case 0:
      if (const auto identity = decode_open(message)) check_same(encode_open(*identity), message);
      break;
    case 1:
      if (const auto files = decode_files(message)) check_same(encode(*files), message);
      break;
    case 2:
      if (const auto read = decode_read(message)) check_same(encode(*read), message);
      break;
    default:
      static_cast<void>(decode_failed(message));
  }
  return 0;
}

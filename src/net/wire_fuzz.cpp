// The first byte of the input says how many fields to read, the next ones which; the rest is the
// message. What is read must stay within it.
#include <cstdint>

#include "net/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  if (size < 1) return 0;
  const std::size_t fields = std::min<std::size_t>(data[0] % 64, size - 1);
  const std::span kinds(data + 1, fields);
  const auto message = std::as_bytes(std::span(data, size)).subspan(1 + fields);
  WireReader reader(message);
  std::size_t read = 0;
  for (const std::uint8_t kind : kinds) {
    const bool was_ok = reader.ok();
    switch (kind % 9) {
      case 0:
        reader.u8();
        break;
      case 1:
        reader.u16();
        break;
      case 2:
        reader.u32();
        break;
      case 3:
        reader.u64();
        break;
      case 4:
        reader.f32();
        break;
      case 5:
        read += reader.text(kind).size();
        break;
      case 6:
        read += reader.numbers<float>(kind).size() * sizeof(float);
        break;
      case 7:
        read += reader.bytes(kind).size();
        break;
      case 8:
        for (std::size_t i = reader.count(kind, 2); i > 0; --i) read += reader.bytes(2).size();
        break;
    }
    CHECK(was_ok || !reader.ok());
  }
  CHECK(read <= message.size() && reader.left() <= message.size());
  const auto finished = reader.finish();
  CHECK(finished.has_value() == (reader.ok() && reader.left() == 0));
  return 0;
}

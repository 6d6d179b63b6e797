#include "serve/peer/split/stream_name.h"

#include <fmt/format.h>

#include "net/wire.h"

namespace drystone {
namespace {

constexpr std::size_t kInstanceMax = kPlanNameMax + 16;  // a model's name and the replica's number
constexpr std::size_t kNodeMax = 64;

const char* text_of(StreamRole role) {
  switch (role) {
    case StreamRole::steps:
      return "steps";
    case StreamRole::rows:
      return "rows";
    case StreamRole::reduce:
      return "sums";
  }
  return "?";
}

}  // namespace

std::string to_string(const StreamName& name) {
  return fmt::format("{} of {} epoch {}, part {} to part {}", text_of(name.role), name.instance,
                     name.epoch.number, name.from, name.to);
}

std::vector<std::byte> encode(const StreamName& name) {
  WireWriter writer;
  writer.text(name.instance);
  writer.u64(name.epoch.number);
  writer.text(name.epoch.keeper);
  writer.u32(name.from);
  writer.u32(name.to);
  writer.u8(static_cast<std::uint8_t>(name.role));
  return writer.take();
}

Result<StreamName> parse_stream_name(std::span<const std::byte> payload) {
  WireReader reader(payload);
  StreamName name;
  name.instance = reader.text(kInstanceMax);
  name.epoch.number = reader.u64();
  name.epoch.keeper = reader.text(kNodeMax);
  name.from = reader.u32();
  name.to = reader.u32();
  const std::uint8_t role = reader.u8();
  if (name.from >= kPartsMax || name.to >= kPartsMax || name.from == name.to)
    reader.refuse("no two parts of a placement");
  if (role < 1 || role > 3) reader.refuse("no role of a stream");
  TRY(reader.finish());
  name.role = static_cast<StreamRole>(role);
  return name;
}

}  // namespace drystone

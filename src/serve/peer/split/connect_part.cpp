#include "serve/peer/split/connect_part.h"

#include <algorithm>

#include "base/pause.h"
#include "net/frame.h"

namespace drystone {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{200};
constexpr std::chrono::seconds kDialWithin{5};

Result<std::unique_ptr<DataStream>> dial_once(PeerDialer& dialer, const std::string& node,
                                              const StreamName& name,
                                              std::chrono::nanoseconds within,
                                              const std::atomic<bool>& stop) {
  auto stream = TRY(dialer.dial(node, within, stop));
  FrameStream frames(*stream, {.payload_bytes_max = kHelloBytesMax});
  TRY(frames.write({.type = static_cast<std::uint16_t>(PeerFrame::hello)}, {encode(name)},
                   {.within = within}));
  return stream;
}

}  // namespace

Result<std::vector<WiredStream>> connect_part(const Placement& placement, std::uint32_t part,
                                              PeerDialer& dialer, Switchboard& switchboard,
                                              const Clock& clock, std::chrono::nanoseconds within,
                                              const std::atomic<bool>& stop) {
  const auto deadline = clock.monotonic() + within;
  const auto left = [&] {
    return std::max(deadline - clock.monotonic(), std::chrono::nanoseconds(0));
  };
  std::vector<WiredStream> streams;
  const std::vector<Wire> wires = Wires(placement).of(part);
  const auto name_of = [&](const Wire& wire) {
    return StreamName{.instance = placement.instance,
                      .epoch = placement.epoch,
                      .from = wire.from,
                      .to = wire.to,
                      .role = wire.role};
  };
  // First what we dial: nobody waits for the other's stream before the own ones are on their way.
  for (const Wire& wire : wires) {
    if (wire.from != part) continue;
    const std::string& node = placement.parts[wire.to].node;
    while (true) {
      auto stream = dial_once(dialer, node, name_of(wire),
                              std::min<std::chrono::nanoseconds>(left(), kDialWithin), stop);
      if (stream) {
        streams.push_back({wire, *std::move(stream)});
        break;
      }
      if (stop) return Error(Errc::cancelled, "connecting was stopped");
      if (left() <= kRetryAfter) return std::move(stream).error().with("connecting to " + node);
      pause_for(kRetryAfter, stop);
    }
  }
  for (const Wire& wire : wires) {
    if (wire.to != part) continue;
    streams.push_back({wire, TRY(switchboard.take(name_of(wire), placement.parts[wire.from].node,
                                                  left(), stop))});
  }
  return streams;
}

}  // namespace drystone

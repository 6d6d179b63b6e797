// Any bytes as a discovery packet. What is read must be told from what a key made.
#include <cstdint>

#include "net/discovery_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  const auto packet = decode_discovery_packet(std::as_bytes(std::span(data, size)));
  if (!packet) {
    CHECK(packet.is(Errc::corrupt));
    return 0;
  }
  CHECK(packet->port != 0);
  static const DiscoveryKey secret = random_bytes<32>();
  CHECK(!made_with(*packet, secret) && !open_id(*packet, secret));
  const DiscoveryKey zero{};
  if (open_id(*packet, zero)) CHECK(made_with(*packet, zero));
  return 0;
}

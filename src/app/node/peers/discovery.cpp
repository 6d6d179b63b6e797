#include "app/node/peers/discovery.h"

#include <bit>

#include "base/base32.h"
#include "cluster/wire/node_id.h"
#include "net/secret.h"

namespace drystone {

std::optional<SealedId> to_sealed(const std::string& node_id) {
  std::array<std::uint8_t, 16> bytes;
  if (!from_base32(node_id, bytes)) return std::nullopt;
  return std::bit_cast<SealedId>(bytes);
}

std::string to_node_id(const SealedId& id) {
  return to_base32(std::bit_cast<std::array<std::uint8_t, 16>>(id));
}

Result<std::unique_ptr<Discovery>> Discovery::open(const boost::asio::any_io_executor& executor,
                                                   const Clock& clock, Options options) {
  std::unique_ptr<Discovery> made(new Discovery(executor, std::move(options)));
  made->socket_ = TRY(DiscoverySocket::open(
      executor, clock, {}, [discovery = made.get()](const DiscoverySocket::Arrival& arrival) {
        discovery->receive(arrival);
      }));
  return made;
}

void Discovery::send_now() {
  std::vector<DiscoveryKey> keys = options_.keys();
  if (keys.size() > DiscoveryPacket::kTagsMax) keys.resize(DiscoveryPacket::kTagsMax);
  if (const auto id = to_sealed(options_.self); id && !keys.empty() && options_.port != 0) {
    const auto packet = encode({.port = options_.port, .node_id = *id, .keys = keys},
                               random_bytes<sizeof(DiscoveryNonce)>());
    socket_->send(packet);
  }
  timer_.after(options_.every(), [this] { send_now(); });
}

void Discovery::receive(const DiscoverySocket::Arrival& arrival) {
  const auto packet = decode_discovery_packet(arrival.packet);
  if (packet) options_.heard(*packet, {arrival.from.address(), packet->port});
}

}  // namespace drystone

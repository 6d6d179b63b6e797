#include "app/node/peers/discovery.h"

#include <algorithm>
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

std::vector<DiscoveryKey> keys_of_packet(std::vector<DiscoveryKey> keys, std::size_t turn) {
  if (keys.size() <= DiscoveryPacket::kTagsMax) return keys;
  const std::size_t others = keys.size() - 1;
  const std::size_t passed = turn % others * (DiscoveryPacket::kTagsMax - 1) % others;
  const auto second = keys.begin() + 1;
  std::rotate(second, second + static_cast<std::ptrdiff_t>(passed), keys.end());
  keys.resize(DiscoveryPacket::kTagsMax);
  return keys;
}

// Nodes begin with different turns: what one has not said yet, another one may have.
Discovery::Discovery(const boost::asio::any_io_executor& executor, Options options)
    : options_(std::move(options)),
      timer_(executor),
      turn_(std::bit_cast<std::size_t>(random_bytes<sizeof(std::size_t)>())) {}

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
  const std::vector<DiscoveryKey> keys = keys_of_packet(options_.keys(), turn_++);
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

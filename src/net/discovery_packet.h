#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "net/secret.h"

namespace drystone {

using DiscoveryKey = std::array<std::byte, 32>;
using DiscoveryNonce = std::array<std::byte, 16>;
using SealedId = std::array<std::byte, 16>;  // the 16 bytes of a node id

// What a node says into the network about itself: "here, on this port, is someone who knows one of
// these keys". Who does not know a key learns that a node is there, and nothing about whose: all
// fields but the port look random. All packets have the same size, so they do not tell how many
// invitations are open. docs/formats/net.md
struct DiscoveryPacket {
  static constexpr std::size_t kBytes = 104;
  static constexpr std::size_t kTagsMax = 4;
  using Tag = std::array<std::byte, 16>;

  DiscoveryNonce nonce;
  std::uint16_t port;
  SealedId sealed_id;
  std::array<Tag, kTagsMax> tags;
};

struct DiscoveryNews {
  std::uint16_t port;  // where the node takes connections; not 0
  SealedId node_id;    // in the clear here; sealed under the first key
  // Up to kTagsMax keys that readers may know: the cluster's, and those of open invitations.
  std::span<const DiscoveryKey> keys;
};

// A packet with a nonce of its own, which its sender remembers to know its own packets. CHECK: 1 to
// kTagsMax keys, a port.
std::array<std::byte, DiscoveryPacket::kBytes> encode(const DiscoveryNews& news,
                                                      const DiscoveryNonce& nonce);

// Errors: corrupt (another size, magic, version, or port 0).
Result<DiscoveryPacket> decode_discovery_packet(std::span<const std::byte> bytes);

// Whether the packet was made with `key`, as whichever of its tags. It proves that someone who knew
// the key made it once: it may be a copy that another sends.
bool made_with(const DiscoveryPacket& packet, const DiscoveryKey& key);

// The sender's id, if `key` was the first key it was made with.
std::optional<SealedId> open_id(const DiscoveryPacket& packet, const DiscoveryKey& key);

}  // namespace drystone

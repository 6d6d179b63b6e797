#include "net/discovery_packet.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "net/wire.h"

namespace drystone {

namespace {

constexpr std::string_view kMagic = "DRYS";
constexpr std::uint8_t kVersion = 1;

// What a tag vouches for: all that is not a tag.
Digest tag_of(const DiscoveryKey& key, const DiscoveryNonce& nonce, std::uint16_t port,
              const SealedId& sealed_id) {
  WireWriter message;
  message.bytes(bytes_of("drystone discovery tag 1"));
  message.bytes(nonce);
  message.u16(port);
  message.bytes(sealed_id);
  return hmac_sha256(key, message.written());
}

// Sealing and opening are the same: a one-time pad for this nonce.
SealedId masked_id(const DiscoveryKey& key, const DiscoveryNonce& nonce, SealedId id) {
  WireWriter message;
  message.bytes(bytes_of("drystone discovery id 1"));
  message.bytes(nonce);
  const Digest pad = hmac_sha256(key, message.written());
  for (std::size_t i = 0; i < id.size(); ++i) id[i] ^= pad[i];
  return id;
}

bool is_tag(const DiscoveryPacket::Tag& tag, const DiscoveryPacket& packet,
            const DiscoveryKey& key) {
  const Digest expected = tag_of(key, packet.nonce, packet.port, packet.sealed_id);
  return equal_in_constant_time(tag, std::span(expected).first(tag.size()));
}

}  // namespace

std::array<std::byte, DiscoveryPacket::kBytes> encode(const DiscoveryNews& news,
                                                      const DiscoveryNonce& nonce) {
  CHECK(news.port != 0 && !news.keys.empty() && news.keys.size() <= DiscoveryPacket::kTagsMax,
        news.port, news.keys.size());
  const SealedId sealed_id = masked_id(news.keys[0], nonce, news.node_id);
  WireWriter writer;
  writer.bytes(bytes_of(kMagic));
  writer.u8(kVersion);
  writer.u8(0);
  writer.u16(news.port);
  writer.bytes(nonce);
  writer.bytes(sealed_id);
  for (std::size_t i = 0; i < DiscoveryPacket::kTagsMax; ++i) {
    // Unused tags are noise, as used ones are to strangers.
    const Digest tag = i < news.keys.size() ? tag_of(news.keys[i], nonce, news.port, sealed_id)
                                            : random_bytes<sizeof(Digest)>();
    writer.bytes(std::span(tag).first(sizeof(DiscoveryPacket::Tag)));
  }
  std::array<std::byte, DiscoveryPacket::kBytes> packet;
  CHECK(writer.written().size() == packet.size());
  std::copy(writer.written().begin(), writer.written().end(), packet.begin());
  return packet;
}

Result<DiscoveryPacket> decode_discovery_packet(std::span<const std::byte> bytes) {
  if (bytes.size() != DiscoveryPacket::kBytes)
    return Error(Errc::corrupt, fmt::format("a discovery packet of {} bytes, it should have {}",
                                            bytes.size(), DiscoveryPacket::kBytes));
  WireReader reader(bytes);
  const auto magic = reader.bytes(kMagic.size());
  if (!std::equal(magic.begin(), magic.end(), bytes_of(kMagic).begin()))
    return Error(Errc::corrupt, "this is no discovery packet");
  if (const unsigned version = reader.u8(); version != kVersion)
    return Error(Errc::corrupt, fmt::format("a discovery packet of version {}", version));
  if (reader.u8() != 0) return Error(Errc::corrupt, "a discovery packet's byte 5 is not 0");
  DiscoveryPacket packet;
  packet.port = reader.u16();
  reader.copy(packet.nonce);
  reader.copy(packet.sealed_id);
  for (auto& tag : packet.tags) reader.copy(tag);
  TRY(reader.finish());
  if (packet.port == 0) return Error(Errc::corrupt, "a discovery packet of port 0");
  return packet;
}

bool made_with(const DiscoveryPacket& packet, const DiscoveryKey& key) {
  return std::any_of(packet.tags.begin(), packet.tags.end(),
                     [&](const auto& tag) { return is_tag(tag, packet, key); });
}

std::optional<SealedId> open_id(const DiscoveryPacket& packet, const DiscoveryKey& key) {
  if (!is_tag(packet.tags[0], packet, key)) return std::nullopt;
  return masked_id(key, packet.nonce, packet.sealed_id);
}

}  // namespace drystone

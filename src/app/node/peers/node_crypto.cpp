#include "app/node/peers/node_crypto.h"

#include <bit>

#include "net/secret.h"

namespace drystone {
namespace {

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

PublicKey to_net(const cluster::PublicKey& key) {
  return {.raw = std::bit_cast<std::array<std::byte, PublicKey::kBytes>>(key)};
}

cluster::PublicKey to_cluster(const PublicKey& key) {
  return std::bit_cast<cluster::PublicKey>(key.raw);
}

std::array<std::byte, 32> to_bytes(const cluster::SecretKey& key) {
  return std::bit_cast<std::array<std::byte, 32>>(key);
}

cluster::PublicKey NodeCrypto::public_key() const { return to_cluster(key_.public_key()); }

cluster::Signature NodeCrypto::sign(std::string_view bytes) const {
  return std::bit_cast<cluster::Signature>(key_.sign(as_bytes(bytes)));
}

bool NodeCrypto::verify(const cluster::PublicKey& key, std::string_view bytes,
                        const cluster::Signature& signature) const {
  return drystone::verify(to_net(key), as_bytes(bytes), std::bit_cast<Signature>(signature));
}

cluster::Digest NodeCrypto::sha256(std::string_view bytes) const {
  return std::bit_cast<cluster::Digest>(drystone::sha256(as_bytes(bytes)));
}

cluster::Digest NodeCrypto::hmac_sha256(std::string_view key, std::string_view bytes) const {
  return std::bit_cast<cluster::Digest>(drystone::hmac_sha256(as_bytes(key), as_bytes(bytes)));
}

void NodeCrypto::random(std::span<std::uint8_t> bytes) {
  fill_random(std::as_writable_bytes(bytes));
}

}  // namespace drystone

#pragma once

#include "cluster/wire/crypto.h"
#include "net/node_key.h"

namespace drystone {

// The same key as the two rooms spell it: bytes in net, octets in cluster.
PublicKey to_net(const cluster::PublicKey& key);
cluster::PublicKey to_cluster(const PublicKey& key);
// 32 secret bytes, as discovery packets take them.
std::array<std::byte, 32> to_bytes(const cluster::SecretKey& key);

// What the cluster core needs of cryptography, with the key pair of this node. Borrows the key.
class NodeCrypto final : public cluster::Crypto {
 public:
  explicit NodeCrypto(const NodeKey& key) : key_(key) {}

  cluster::PublicKey public_key() const override;
  cluster::Signature sign(std::string_view bytes) const override;
  bool verify(const cluster::PublicKey& key, std::string_view bytes,
              const cluster::Signature& signature) const override;
  cluster::Digest sha256(std::string_view bytes) const override;
  cluster::Digest hmac_sha256(std::string_view key, std::string_view bytes) const override;
  void random(std::span<std::uint8_t> bytes) override;

 private:
  const NodeKey& key_;
};

}  // namespace drystone

#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

// Names a node for ever: base32 of the first 16 bytes of SHA-256 over its public key, 26 letters.
// Ids are ordered as texts.
using NodeId = std::string;
constexpr std::size_t kNodeIdLength = 26;

NodeId node_id(const PublicKey& key, const Crypto& crypto);
bool is_node_id(std::string_view text);

}  // namespace drystone::cluster

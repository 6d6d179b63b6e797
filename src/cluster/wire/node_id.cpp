#include "cluster/wire/node_id.h"

#include <algorithm>

#include "base/base32.h"

namespace drystone::cluster {

NodeId node_id(const PublicKey& key, const Crypto& crypto) {
  const Digest digest = crypto.sha256(bytes_of(key));
  return to_base32(std::span(digest).first<16>());
}

bool is_node_id(std::string_view text) {
  // 26 letters hold 130 bits: the last two are zero, so the last letter is every fourth one.
  return text.size() == kNodeIdLength &&
         std::ranges::all_of(
             text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); }) &&
         std::string_view("aeimquy4").find(text.back()) != std::string_view::npos;
}

}  // namespace drystone::cluster

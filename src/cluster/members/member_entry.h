#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kKeptMax = 1024;

// One key let into the cluster, signed by a member. The founder's own entry (genesis) is signed by
// the key it names.
struct MemberEntry {
  PublicKey key{};
  std::string name;            // 1 to 64 bytes of UTF-8 without control characters; not unique
  std::uint64_t added_at = 0;  // Lamport counter of the list; 0: genesis
  PublicKey added_by{};
  Signature signature{};

  bool operator==(const MemberEntry&) const = default;
};

// One key put out of the cluster, for ever, signed by a member (by the node itself when it leaves).
// `kept` are the keys the removed one had let in, as far as the remover knew: they stay. What a
// removed key signs later is in no such list, so it lets nobody in.
struct Removal {
  PublicKey key{};
  PublicKey removed_by{};
  std::vector<PublicKey> kept;  // sorted, no key twice
  Signature signature{};

  bool operator==(const Removal&) const = default;
};

// The bytes that are signed (docs/formats/cluster.md). They begin with a label and the cluster's
// id, so a signature means nothing elsewhere.
std::string signed_bytes(const ClusterId& cluster, const MemberEntry& entry);
std::string signed_bytes(const ClusterId& cluster, const Removal& removal);

// Errors: invalid_argument (empty, too long, no UTF-8, control characters), with the name shown.
Result<void> check_name(std::string_view name);

}  // namespace drystone::cluster

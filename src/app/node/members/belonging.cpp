#include "app/node/members/belonging.h"

#include "app/node/peers/node_crypto.h"

namespace drystone {

bool Belonging::admits(const TlsPeer& peer) const {
  const std::lock_guard lock(mutex_);
  if (members_.contains(peer.key)) return true;
  if (peer.our_side == TlsSide::client || peer.protocol != Protocol::control) return false;
  return strangers_welcome_ || removed_.contains(peer.key);
}

bool Belonging::is_member(const PublicKey& key) const {
  const std::lock_guard lock(mutex_);
  return members_.contains(key);
}

void Belonging::follow(const cluster::MemberList& list) {
  std::set<PublicKey> members, removed;
  for (const auto& [id, member] : list.members()) members.insert(to_net(member.key));
  for (const auto& removal : list.removals()) removed.insert(to_net(removal.key));
  const std::lock_guard lock(mutex_);
  members_ = std::move(members);
  removed_ = std::move(removed);
}

}  // namespace drystone

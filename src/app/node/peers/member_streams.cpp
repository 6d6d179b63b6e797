#include "app/node/peers/member_streams.h"

#include <algorithm>
#include <utility>

#include "app/node/peers/node_crypto.h"

namespace drystone {

void MemberStreams::follow(const cluster::MemberList& members) {
  std::map<std::string, PublicKey> keys;
  for (const auto& [node, member] : members.members()) keys.emplace(node, to_net(member.key));
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

std::optional<NodePlace> MemberStreams::find(const std::string& node) const {
  auto addresses = book_.addresses(node, clock_.monotonic());
  const std::lock_guard lock(mutex_);
  const auto key = keys_.find(node);
  if (key == keys_.end() || addresses.empty()) return std::nullopt;
  return NodePlace{.key = key->second, .addresses = std::move(addresses)};
}

Result<std::unique_ptr<DataStream>> MemberStreams::dial(const std::string& node,
                                                        std::chrono::nanoseconds within,
                                                        const std::atomic<bool>& stop) {
  TlsDialer plain(tls_, clock_, [this](const std::string& id) { return find(id); });
  return guard_member(TRY(plain.dial(node, within, stop)));
}

// Guarded first, then looked at: a removal in between finds it among the guarded.
Result<std::unique_ptr<DataStream>> MemberStreams::guard_member(
    std::unique_ptr<DataStream> stream) {
  std::unique_ptr<DataStream> guarded = streams_.guard(std::move(stream));
  const auto& key = guarded->peer().key;
  const std::lock_guard lock(mutex_);
  if (key && std::ranges::any_of(keys_, [&](const auto& member) { return member.second == *key; }))
    return guarded;
  return Error(Errc::unavailable,
               guarded->peer().address + " is no member of the cluster any more");
}

}  // namespace drystone

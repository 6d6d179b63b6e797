#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "app/node/peers/address_book.h"
#include "app/node/peers/guarded_streams.h"
#include "base/clock.h"
#include "cluster/members/member_list.h"
#include "net/tls_context.h"
#include "serve/peer/split/tls_dialer.h"

namespace drystone {

// The data connections with members: dials them by id, and ends those of who is put out.
// Thread-safe; streams may outlive it.
class MemberStreams final : public PeerDialer {
 public:
  // Borrows all for its life, context and clock for that of the streams as well.
  MemberStreams(const TlsContext& tls, const Clock& clock, const AddressBook& book)
      : tls_(tls), clock_(clock), book_(book) {}

  void follow(const cluster::MemberList& members);
  // Key and addresses, the best first; nullopt: no member, or nobody knows where it is.
  std::optional<NodePlace> find(const std::string& node) const;
  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds within,
                                           const std::atomic<bool>& stop) override;

  // It is among them from now on. Whose key was put out since its handshake is refused: once
  // follow() has come without it and then close_all_of(), no stream of it is left, whenever it
  // came. Errors: unavailable (no member any more; the stream ends).
  Result<std::unique_ptr<DataStream>> guard_member(std::unique_ptr<DataStream> stream);
  void close_all_of(const PublicKey& key) { streams_.close_all_of(key); }

 private:
  const TlsContext& tls_;
  const Clock& clock_;
  const AddressBook& book_;
  GuardedStreams streams_;
  mutable std::mutex mutex_;
  std::map<std::string, PublicKey> keys_;  // of members, by id
};

}  // namespace drystone

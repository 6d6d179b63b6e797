#pragma once

#include <atomic>
#include <mutex>
#include <set>

#include "cluster/members/member_list.h"
#include "net/tls_context.h"

namespace drystone {

// Whose keys this node speaks to, for handshakes on any thread; the loop keeps it up to date.
class Belonging {
 public:
  // Members for everything. Of the others, only to hear them on a control connection: those that
  // were put out, so that they are told; and any key while a stranger may have good reason to come
  // (set_strangers_welcome).
  bool admits(const TlsPeer& peer) const;
  bool is_member(const PublicKey& key) const;

  void follow(const cluster::MemberList& members);
  // While an invitation is open, or a member is away and may have let in somebody of whom we do not
  // know.
  void set_strangers_welcome(bool welcome) { strangers_welcome_ = welcome; }

 private:
  mutable std::mutex mutex_;
  std::set<PublicKey> members_, removed_;
  std::atomic<bool> strangers_welcome_ = false;
};

}  // namespace drystone

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/cluster_core.h"
#include "cluster/wire/test_crypto.h"
#include "network.h"

namespace drystone::sim {

// Which machine has which node id: what addresses and connections are in the real program.
using Directory = std::map<cluster::NodeId, std::size_t>;

// A machine with clocks, a disk and a ClusterCore, if it has one. The disk is written up to half a
// second after what it says was sent, as the daemon does; what is not written when the machine
// crashes is lost.
class Machine final : public SimNode {
 public:
  struct Clocks {
    Time monotonic_offset{}, wall_skew{};
  };

  Machine(std::size_t number, const Clocks& clocks, Directory& directory)
      : number_(number), clocks_(clocks), directory_(&directory) {}

  void tick(Time now) override;
  void receive(const Packet& packet, Time now) override;
  std::vector<Packet> take_outbox() override;

  std::size_t number() const { return number_; }
  cluster::ClusterCore* core() { return core_.get(); }
  const cluster::ClusterCore* core() const { return core_.get(); }
  cluster::TestCrypto& crypto() { return *crypto_; }
  bool has_identity() const { return crypto_ != nullptr; }
  cluster::NodeId id() const;
  cluster::ClusterCore::Wall wall(Time now) const;

  void make_identity(std::uint64_t seed);  // a new key pair, and nothing of an earlier one
  void found(Time now, std::uint64_t seed);
  // As over a connection between the two. The answer may be lost on its way: `host` has let it in
  // all the same. Returns why not, or "".
  std::string join(Machine& host, const cluster::InvitationSecret& secret, bool answer_is_lost,
                   Time now, std::uint64_t seed);
  // From the disk, if there is anything on it. Returns false if the disk's text was refused.
  bool boot(Time now, std::uint64_t seed);
  void save();  // the last that a process does that ends in order
  void crash();

  // Everything that went wrong in this machine's eyes; messages refused for being from no member
  // are not wrong.
  std::vector<std::string> complaints;
  std::function<void(const cluster::ClusterEvent&)> on_event;
  std::function<void(const std::string& why)> on_refused;

 private:
  cluster::ClusterCore::Options options(Time now, std::uint64_t seed) const;
  void begin_life(Time now);
  void write_disk();

  std::size_t number_;
  Clocks clocks_;
  Directory* directory_;
  std::unique_ptr<cluster::TestCrypto> crypto_;
  std::unique_ptr<cluster::ClusterCore> core_;
  std::string disk_;
  Time now_{};
  std::optional<Time> write_at_;  // of what is not on the disk yet
  std::uint64_t writes_ = 0;
};

}  // namespace drystone::sim

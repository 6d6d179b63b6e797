#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "app/node/instances/instance_doors.h"
#include "app/node/instances/instance_view.h"
#include "app/node/instances/instance_wishes.h"
#include "app/node/instances/part_runner.h"
#include "app/node/instances/plan_thread.h"
#include "app/node/instances/served_instances.h"
#include "app/node/members/cluster_host.h"
#include "app/node/members/loop_call.h"
#include "cluster/instance/instance_core.h"

namespace drystone {

// An InstanceCore on the cluster's loop: is told of the cluster's events and of what parts come to,
// and what it asks for is done (publish, load a part, drop one).
//
// On that loop, but for make(), begin(), end(), parts() and ask().
class InstanceLife : public std::enable_shared_from_this<InstanceLife> {
 public:
  struct Options {
    int threads = 0;         // of each part; 0: one per core
    Bytes memory_bytes = 0;  // for all parts; 0: what the system has
    std::function<void(const std::string&)> say;
  };
  struct Rooms {
    ClusterHost& cluster;
    DataDoor& door;
    ModelCatalog& catalog;
    const Clock& clock;
  };
  // Borrows the rooms until end().
  static std::shared_ptr<InstanceLife> make(Options options, Rooms rooms);

  // Before ClusterHost::run(); serves in this host of models, which outlives it. Once.
  void begin(ModelHost& models);
  // When ClusterHost::run() has returned. Waits for parts to end: PartRunner.
  void end();

  const InstanceCore& core() const { return core_; }
  const InstanceView& view() const { return view_; }
  InstanceWishes& wishes() { return wishes_; }
  PartRunner& parts() const { return *parts_; }         // until end()
  const ModelHost& models() const { return *models_; }  // since begin()
  const cluster::ClusterCore& members() const { return rooms_.cluster.core(); }
  std::string name_of(const std::string& node) const;

  // What `work`, which takes an InstanceLife& and gives a Result, gives on the loop; from another
  // thread; blocks. Errors: those of `work`; unavailable (the node is stopping).
  template <typename Work>
  auto ask(Work work) {
    return call_on(
        rooms_.cluster.executor(), [this] { return rooms_.cluster.ended(); },
        [weak = weak_from_this(), work = std::move(work)]() -> decltype(work(*this)) {
          const auto life = weak.lock();
          if (life == nullptr) return Error(Errc::unavailable, "this node is stopping");
          return work(*life);
        });
  }

 private:
  InstanceLife(Options options, Rooms rooms);

  PartRunner::Events part_events();
  void on_event(const cluster::ClusterEvent& event);
  void tick();
  void wake();
  void act();
  void carry_out(const InstanceAction& action);
  void take_change(const std::string& key);
  std::set<std::string> wanted_identities() const;
  Result<void> put(const std::string& key, const boost::json::value& value);
  void say(const std::string& text) const {
    if (options_.say) options_.say(text);
  }

  const Options options_;
  const Rooms rooms_;
  const std::string self_, own_name_;
  PurposeDialer part_dialer_, job_dialer_;
  Switchboard switchboard_;
  std::optional<boost::asio::steady_timer> timer_;  // until end(): the loop may go then
  InstanceView view_;
  PlanThread plans_;
  InstanceCore core_;
  InstanceWishes wishes_;
  bool awake_ = false;          // act() is on its way
  bool wishes_changed_ = true;  // since the catalog was told of them
  std::unique_ptr<PartRunner> parts_;
  ModelHost* models_ = nullptr;
  std::unique_ptr<InstanceDoors> doors_;
  std::unique_ptr<ServedInstances> served_;
};

}  // namespace drystone

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "app/node/instances/local_head.h"
#include "app/node/instances/node_part.h"
#include "app/node/models/model_catalog.h"
#include "base/clock.h"
#include "cluster/instance/actions.h"
#include "cluster/plan/ledger.h"
#include "serve/http/last_release.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// The parts of instances that this node holds: reserves their memory, loads them, connects them
// with the others, ends them. Each has a thread of its own, from LoadPart until all that it held is
// free again. Whatever happens to a part ends that part alone.
//
// Weights outlive their epoch: a part that was ready and has lost the others keeps them for
// kKeptFor, reserved, and the next part of the instance takes them over where it is the same. Who
// finds no memory has them freed first, and waits for what ends. A whole model that is placed as
// before goes on as it is.
//
// load() and drop() from one thread; the rest from any.
class PartRunner {
 public:
  static constexpr std::chrono::seconds kKeptFor{30};

  struct Options {
    std::string self, name;  // node id; and what people call it, for messages
    int threads = 0;         // of each part; 0: one per core
    Bytes memory_bytes = 0;  // that all parts together may have; 0: what the system has
  };
  // On threads of the parts, or within load(); must not block.
  struct Events {
    std::function<void(const std::string& instance, const Epoch&, double)> progress;
    // `kept`: it was in memory still, and nothing was read.
    std::function<void(const std::string& instance, const Epoch&, bool kept)> loaded;
    // It could not be loaded, or its engine broke; the others are gone, whether it has loaded or
    // not.
    std::function<void(const std::string& instance, const Epoch&, const std::string& error)> failed,
        lost;
  };
  // Borrows all for its life. The dialer says that its streams are for parts.
  PartRunner(Options options, ModelCatalog& catalog, PeerDialer& dialer, Switchboard& switchboard,
             const Clock& clock, Events events);
  ~PartRunner();  // ends all parts and waits for them: as long as a step or a tensor takes
  PartRunner(const PartRunner&) = delete;
  PartRunner& operator=(const PartRunner&) = delete;

  // Both return at once. A part of the same instance ends first, and gives its memory back first.
  void load(const Placement& placement, Result<ModelSource> source);
  // Of that epoch or a lower one. Where it may return, its weights are kept as those of a lost one.
  void drop(const std::string& instance, const Epoch& epoch, bool may_return);

  // The head of an instance that is ready here in this epoch, else null. Who gives up the last
  // reference waits for nothing.
  std::shared_ptr<LocalHead> head(const std::string& instance, std::uint64_t epoch) const;

  Bytes reserved_bytes() const;  // also for what is kept

 private:
  using Part = NodePart;
  void run(Part& part);
  Result<void> live(Part& part);
  Result<void> reserve(const Part& part, Bytes bytes);
  Result<void> serve_whole(Part& part, GgufFile file, const std::function<void(double)>& progress);
  Result<void> serve_head(Part& part, std::unique_ptr<Device> device,
                          std::unique_ptr<Engine> engine);
  bool goes_on(Part& part, const Placement& placement, const Result<ModelSource>& source);
  void ready(Part& part);
  void lose(Part& part, const Error& error);
  void keep(Part& part);
  void make_room(const Part& part);
  void tell_waiting();
  void end(Part& part);
  Epoch epoch_of(const Part& part) const;
  void reap();

  const Options options_;
  ModelCatalog& catalog_;
  PeerDialer& dialer_;
  Switchboard& switchboard_;
  const Clock& clock_;
  const Events events_;

  mutable std::mutex mutex_;  // of what follows
  Ledger ledger_;
  std::map<std::string, std::pair<std::uint64_t, std::shared_ptr<LocalHead>>> heads_;
  std::map<std::string, std::shared_ptr<Part>> current_;  // by instance
  std::list<std::shared_ptr<Part>> ending_;               // whose threads were not joined yet
  std::set<Part*> kept_;                                  // have ended, and keep their weights
  std::set<Part*> leaving_;                               // were dropped, and have memory still
  std::condition_variable freed_;  // other ones of either, or somebody is to end
  LastRelease last_release_;
};

}  // namespace drystone

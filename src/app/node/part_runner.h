#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/node/local_head.h"
#include "app/node/model_catalog.h"
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
// load() and drop() from one thread; the rest from any.
class PartRunner {
 public:
  struct Options {
    std::string self, name;  // node id; and what people call it, for messages
    int threads = 0;         // of each part; 0: one per core
    Bytes memory_bytes = 0;  // that all parts together may have; 0: what the system has
  };
  // On threads of the parts; must not block.
  struct Events {
    std::function<void(const std::string& instance, const Epoch&, double)> progress;
    std::function<void(const std::string& instance, const Epoch&)> loaded;
    std::function<void(const std::string& instance, const Epoch&, const std::string& error)> failed;
  };
  // Borrows all for its life. The dialer says that its streams are for parts.
  PartRunner(Options options, ModelCatalog& catalog, PeerDialer& dialer, Switchboard& switchboard,
             const Clock& clock, Events events);
  ~PartRunner();  // ends all parts and waits for them: as long as a step or a tensor takes, but a
                  // model that is loaded whole is loaded to its end
  PartRunner(const PartRunner&) = delete;
  PartRunner& operator=(const PartRunner&) = delete;

  // Both return at once. A part of the same instance ends first, and gives its memory back first.
  void load(const Placement& placement, Result<ModelSource> source);
  // Of that epoch or a lower one.
  void drop(const std::string& instance, const Epoch& epoch);

  // The head of an instance that is ready here in this epoch, else null. Who gives up the last
  // reference waits for nothing.
  std::shared_ptr<LocalHead> head(const std::string& instance, std::uint64_t epoch) const;

  Bytes reserved_bytes() const;

 private:
  struct Part;
  void run(Part& part);
  Result<void> live(Part& part);
  Result<void> serve_head(Part& part, std::unique_ptr<Device> device,
                          std::unique_ptr<Engine> engine);
  void wait_for_end(Part& part);
  void lose(Part& part, const Error& error);
  void end(Part& part);
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
  LastRelease last_release_;
};

}  // namespace drystone

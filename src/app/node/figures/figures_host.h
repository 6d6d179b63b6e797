#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "app/node/members/cluster_host.h"
#include "base/clock.h"
#include "base/units.h"
#include "serve/peer/data_door.h"

namespace drystone {

// Tells the cluster what this node has and how fast it and its links are: figures/SELF and
// link/SELF/PEER in the shared state. Measures the machine at its first start (MeasureTurn, about
// 5 s; kept in the state folder), and again after every start while nothing is loaded and the
// machine is idle (MeasureAgain); the links to nodes of higher ids whenever they, their addresses
// or an interface of either side change, and answers nodes of lower ids that measure theirs.
// Connections to a node prefer the pair of interfaces that was measured best.
//
// Works on a thread of its own with low priority.
class FiguresHost {
 public:
  struct Options {
    std::filesystem::path state;                  // of the node
    std::string version;                          // of the program
    int threads = 0;                              // of a part; 0: one per core
    Bytes memory_bytes = 0;                       // the owner's bound for all parts; 0: none
    bool measure_anew = false;                    // what is kept of earlier starts is thrown away
    std::function<Bytes()> reserved_bytes;        // of the node's ledger; any thread; may be empty
    std::function<void(const std::string&)> say;  // a line for people; any thread; may be empty
  };
  // Borrows all for its life. Before ClusterHost::run(), whose events it listens to.
  FiguresHost(Options options, ClusterHost& cluster, DataDoor& door, const Clock& clock);
  ~FiguresHost();  // stop()
  FiguresHost(const FiguresHost&) = delete;
  FiguresHost& operator=(const FiguresHost&) = delete;

  void start();  // once
  // Waits for the thread: what it is measuring ends within moments, a link within seconds.
  void stop();

 private:
  struct Inner;
  const std::shared_ptr<Inner> inner_;
};

}  // namespace drystone

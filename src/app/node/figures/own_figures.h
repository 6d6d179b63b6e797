#pragma once

#include <atomic>
#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/node/figures/measure_again.h"
#include "app/node/measure/own_measured.h"
#include "app/node/measure/processor_use.h"
#include "base/clock.h"
#include "base/units.h"
#include "cluster/plan/node_figures.h"
#include "compute/cpu/isa.h"
#include "net/interfaces.h"

namespace drystone {

// What this node has and how fast it computes: the memory of the machine is read, its speed
// measured once and kept in the state folder (measured.json), then measured again while nothing is
// loaded and the machine is idle. On one thread, which measuring blocks for seconds.
class OwnFigures {
 public:
  struct Options {
    std::string self, name;  // node id; and what people call it
    std::filesystem::path state;
    std::string version;                    // of the program
    int threads = 0;                        // of a part; 0: one per core
    Bytes memory_bytes = 0;                 // the owner's bound for all parts; 0: none
    bool measure_anew = false;              // what is kept of earlier starts is thrown away
    std::function<Bytes()> reserved_bytes;  // of the node's ledger; may be empty
  };
  // Knows all then that needs no measuring. Borrows both for its life; `stop`: measuring ends
  // within moments.
  OwnFigures(Options options, const Clock& clock, const std::atomic<bool>& stop);

  // Where nothing was kept of an earlier start.
  void measure_first();
  // Now and then reads the memory and the interfaces. True: the cluster should be told again.
  bool look_at_machine();
  // Measures again when it is time for it. True: figures have changed.
  bool look_at_speed();

  // The value of figures/SELF (docs/formats/placement.md), with facts for people read now. What it
  // says counts as told.
  boost::json::object tell();

 private:
  void read_memory();
  bool memory_changed() const;
  bool interfaces_changed();
  void know_machine();
  Measured measure(std::function<bool()> stop);
  bool take(const Measured& found);
  Bytes reserved_bytes() const { return options_.reserved_bytes ? options_.reserved_bytes() : 0; }

  const Options options_;
  const Clock& clock_;
  const std::atomic<bool>& stop_;
  const int threads_;
  std::string cpu_;
  std::optional<Isa> isa_;          // nullopt: the one that is forced is not there
  std::optional<OwnMeasured> own_;  // always, once it is constructed
  std::optional<ProcessorTimes> processors_;
  MeasureAgain again_;
  NodeFigures figures_, told_;
  std::vector<Interface> interfaces_;
  Clock::Nanoseconds memory_read_{}, facts_told_{};
};

}  // namespace drystone

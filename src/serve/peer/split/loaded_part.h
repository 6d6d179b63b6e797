#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "compute/reducer.h"
#include "serve/peer/split/part_stages.h"

namespace drystone {

// A device with the weights and pages of one part. It outlives the links between the parts: what
// one epoch leaves serves the next where the part is the same (same_in_memory). The pages keep
// bytes of earlier requests; who uses them begins with an empty page table.
//
// One user at a time, from any thread.
class LoadedPart {
 public:
  explicit LoadedPart(std::unique_ptr<Device> device);
  ~LoadedPart();
  LoadedPart(const LoadedPart&) = delete;
  LoadedPart& operator=(const LoadedPart&) = delete;

  // Blocks for seconds to minutes, or until `stop` is true; once. Errors: those of load_part;
  // nothing is held then.
  Result<void> load(const Placement& placement, std::uint32_t part, const PartProgram& program,
                    const GgufFile& file, const std::function<void(double done)>& progress,
                    const std::atomic<bool>& stop);
  bool is_loaded() const { return stages_.body != nullptr; }
  PartStages& stages() { return stages_; }

  // Sums over ranks go this way from now on; borrowed until the next call. Null, as at first: steps
  // of a rank fail as `unavailable`. Not during a step.
  void connect(Reducer* links);

 private:
  class Relay;
  const std::unique_ptr<Device> device_;
  std::unique_ptr<Relay> relay_;  // of a rank; else null
  PartStages stages_;             // borrows both
};

}  // namespace drystone

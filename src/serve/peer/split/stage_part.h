#pragma once

#include <memory>
#include <thread>

#include "serve/peer/split/loaded_part.h"
#include "serve/peer/split/part_links.h"

namespace drystone {

// A part of an instance on a node that is not its head: computes what comes and sends it on, on a
// thread of its own. It holds no request: weights and pages, nothing else.
//
// It ends when its links do (PartLinks::OnLost tells why) or when it is destroyed.
class StagePart {
 public:
  // Tells the others that the part has loaded, and begins. `part` is loaded, and borrowed for the
  // life of this.
  StagePart(std::unique_ptr<PartLinks> links, LoadedPart& part);
  ~StagePart();  // closes the links and waits for the thread
  StagePart(const StagePart&) = delete;
  StagePart& operator=(const StagePart&) = delete;

  StageMemory memory() const { return part_.stages().memory(); }

 private:
  void run();
  Result<void> take(StepMessage& message);
  Result<void> run_step(const StepMessage& step);
  Result<void> run_head(std::uint64_t step, const HeadInput& input);

  const std::unique_ptr<PartLinks> links_;
  LoadedPart& part_;  // sums over the links
  std::vector<std::byte> layout_;
  std::thread thread_;
};

}  // namespace drystone

#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "cluster/plan/placement.h"
#include "compute/device.h"
#include "compute/program.h"
#include "model/gguf/gguf.h"
#include "serve/peer/split/step_layout.h"

namespace drystone {

// What a part of an instance holds on its device.
struct PartStages {
  std::unique_ptr<DeviceStage> body;   // its layers
  std::unique_ptr<DeviceStage> front;  // of the first stage: the rank's rows of the output matrix,
                                       // at the head the embedding as well; else null
  StageMemory memory() const;
};

// A part before it is loaded: what its model file says of it.
struct PartProgram {
  Program program;    // the rank's
  StepLimits limits;  // without pages
};

KvType kv_type(KvFormat format);

// Requests that run at once on an instance: what it was planned for, and some more.
std::uint32_t sequences_max(const Placement& placement);

// Errors: those of load_program; corrupt (the file is not the model that was placed).
Result<PartProgram> part_program(const Placement& placement, std::uint32_t part,
                                 const GgufFile& file);

// Loads a part. Blocks for seconds to minutes. `device` is for this part alone as long as it lives:
// it waits for other nodes in the midst of its steps. `device` and `reducer` are borrowed for that
// life, `file` and `stop` (as StageOptions') during the call. Errors: those of Device::load.
Result<PartStages> load_part(const Placement& placement, std::uint32_t part,
                             const PartProgram& program, const GgufFile& file, Device& device,
                             Reducer* reducer, const std::function<void(double done)>& progress,
                             const std::atomic<bool>& stop);

}  // namespace drystone

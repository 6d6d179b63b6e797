#pragma once

#include <functional>
#include <memory>

#include "app/node/measure/measured.h"
#include "app/node/measure/tiny_model.h"
#include "base/clock.h"
#include "compute/device.h"

namespace drystone {

// Measures steps of the models in sample_steps.h. Not thread-safe.
class StepMeasure {
 public:
  explicit StepMeasure(Device& device);  // which lives longer

  // Once more, each time the best of several tries. Blocks for some 0.2 s.
  StepTimes measure(const Clock& clock);

 private:
  // Null: cannot be had; its times are absent then.
  const std::unique_ptr<TinyModel> few_, many_, attention_, one_, more_;
};

}  // namespace drystone

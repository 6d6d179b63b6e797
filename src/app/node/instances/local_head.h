#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "compute/device.h"
#include "engine/engine.h"
#include "serve/http/served_model.h"

namespace drystone {

// The engine of an instance whose head this node is, with the thread that runs its steps. Its jobs
// may come from any node, and from this one with the constraints that were compiled for its
// clients: a model's header names the same tokens to everybody.
class LocalHead {
 public:
  // Borrows the clock. The device may be null: the engine has its own. `on_end` is called when
  // everything that it held is free again, on the thread that let go of it last.
  LocalHead(std::unique_ptr<Device> device, std::unique_ptr<Engine> engine, const Clock& clock,
            std::function<void()> on_end);
  ~LocalHead();  // waits for the step that runs
  LocalHead(const LocalHead&) = delete;
  LocalHead& operator=(const LocalHead&) = delete;

  Engine& engine() { return *engine_; }
  ServedModel& model() { return *model_; }
  JobQueue& jobs() { return model_->jobs(); }

 private:
  const std::function<void()> on_end_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ServedModel> model_;
};

}  // namespace drystone

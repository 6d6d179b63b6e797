#include "app/node/instances/local_head.h"

#include <utility>

#include "serve/engine_model.h"

namespace drystone {

LocalHead::LocalHead(std::unique_ptr<Device> device, std::unique_ptr<Engine> engine,
                     const Clock& clock, std::function<void()> on_end)
    : on_end_(std::move(on_end)),
      device_(std::move(device)),
      engine_(std::move(engine)),
      model_(make_engine_model(*engine_, clock)) {}

LocalHead::~LocalHead() {
  model_.reset();
  engine_.reset();
  device_.reset();
  if (on_end_) on_end_();
}

}  // namespace drystone

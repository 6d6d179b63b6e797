#pragma once

#include <memory>

#include "base/clock.h"
#include "engine/engine.h"
#include "serve/http/served_model.h"

namespace drystone {

// An Engine as the public APIs see it. Borrows both for its life.
std::unique_ptr<ServedModel> make_engine_model(Engine& engine, const Clock& clock);

}  // namespace drystone

#pragma once

#include "engine/batcher.h"
#include "serve/metrics/model_numbers.h"

namespace drystone {

// What a batcher has counted, as metrics tell it.
EngineLoad engine_load(const BatcherCounts& counts);

}  // namespace drystone

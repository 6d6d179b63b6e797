#pragma once

#include <memory>

#include "compute/cpu/isa.h"
#include "compute/device.h"

namespace drystone {

// The processor and its memory as a Device, with a thread pool of its own: `threads` compute
// threads, the caller of run() among them. `isa` must be one of available_isas().
std::unique_ptr<Device> make_cpu_device(Isa isa, int threads);

}  // namespace drystone

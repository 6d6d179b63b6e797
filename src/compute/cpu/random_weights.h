#pragma once

#include <cstddef>
#include <vector>

#include "base/rng.h"
#include "compute/dtype.h"

namespace drystone {

// Random weights of a type, straight in its block format: every bit pattern of codes and sub-scales
// occurs, block scales stay sane. For tests and benchmarks of kernels, which must not depend on the
// quantizers.
std::vector<std::byte> random_weights(DType type, std::size_t elems, Rng& rng);

}  // namespace drystone

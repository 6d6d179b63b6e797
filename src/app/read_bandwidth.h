#pragma once

#include "base/clock.h"

namespace drystone {

// Bytes per second at which `threads` threads together read memory: the ceiling of decoding, which
// reads every weight once per token. Streams a buffer of 512 MiB several times and takes the best.
// Blocks for about a second. 0 when the buffer cannot be had.
double measure_read_bandwidth(int threads, const Clock& clock);

}  // namespace drystone

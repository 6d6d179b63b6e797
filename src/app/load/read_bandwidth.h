#pragma once

#include "base/clock.h"
#include "base/units.h"

namespace drystone {

// Bytes per second at which `threads` threads together read memory: the ceiling of decoding, which
// reads every weight once per token. Streams a buffer several times and takes the best: it should
// be several times as large as the caches. Blocks for about a second. 0 when the buffer cannot be
// had.
constexpr Bytes kReadBufferBytes = 512 * kMiB;
double measure_read_bandwidth(int threads, const Clock& clock,
                              Bytes buffer_bytes = kReadBufferBytes);

}  // namespace drystone

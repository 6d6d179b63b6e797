#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "net/data_stream.h"

namespace drystone {

// Two ends of a stream inside this process, for tests: what one writes the other reads. Each
// direction holds up to `capacity_bytes`; a writer beyond that waits for the reader.
std::pair<std::unique_ptr<DataStream>, std::unique_ptr<DataStream>> make_memory_streams(
    std::size_t capacity_bytes = 1 << 20);

}  // namespace drystone

#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace drystone {

using Bytes = std::uint64_t;

constexpr Bytes kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

// "1.5 GiB", "340 KiB", "12 B": three significant digits, binary units.
std::string format_bytes(Bytes bytes);

}  // namespace drystone

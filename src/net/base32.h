#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drystone {

// Base 32 as people and DNS can carry it: the alphabet of RFC 4648 in lower case, without padding.
std::string to_base32(std::span<const std::byte> bytes);

// The bytes of `text`; upper case is taken as well, since people type it. Errors: corrupt (another
// character, a length that no bytes have, or bits behind the last byte that are not 0), limit (more
// than `bytes_max` bytes).
Result<std::vector<std::byte>> from_base32(std::string_view text, std::size_t bytes_max);

}  // namespace drystone

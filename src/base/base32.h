#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone {

// Lower-case base32 (RFC 4648: a-z, 2-7) without padding: ids, keys and codes in texts.
std::string to_base32(std::span<const std::uint8_t> bytes);

// Fills `bytes`; `text` must be what to_base32 makes of them, but may be in upper case.
// Errors: corrupt (length, a letter outside the alphabet, bits that stand for nothing); `bytes`
// then hold anything.
Result<void> from_base32(std::string_view text, std::span<std::uint8_t> bytes);

}  // namespace drystone

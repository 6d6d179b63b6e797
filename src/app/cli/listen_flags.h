#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drystone {

// What `serve` and `up` read alike: where an API listens, and who may use it.

// "127.0.0.1:8080", "[::1]:8080", ":8080" and "8080" (`address` stays as it is). `flag` is the
// option's name, for messages. Errors: invalid_argument.
Result<void> read_listen(std::string_view flag, const std::string& text, std::string& address,
                         std::uint16_t& port);

// Adds the keys or hashes of `path`, one a line (blank lines are skipped), unless it is empty, and
// that of $DRYSTONE_API_KEY. Says on behalf of `command` when the file holds keys in the clear.
// Errors: io, invalid_argument (the file has no key).
Result<void> read_api_keys(std::string_view command, const std::string& path,
                           std::vector<std::string>& keys);

}  // namespace drystone

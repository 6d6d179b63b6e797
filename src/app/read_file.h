#pragma once

#include <string>

#include "base/result.h"

namespace drystone {

// The bytes of a file, a pipe or a device, to its end. Errors: not_found, io, limit (1 GiB).
Result<std::string> read_file(const std::string& path);

// The same of the standard input.
Result<std::string> read_standard_input();

}  // namespace drystone

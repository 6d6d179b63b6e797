#pragma once

#include <string>
#include <string_view>

namespace drystone {

bool is_valid_utf8(std::string_view text);

// `bytes` with each invalid part of it replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

}  // namespace drystone

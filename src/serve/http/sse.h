#pragma once

#include <string>
#include <string_view>

namespace drystone {

// Server-sent events, as text. Data must be one line, which serialized JSON is.
inline std::string sse_data(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

// Clients skip comments; they keep idle connections alive.
inline std::string sse_comment(std::string_view text) { return ": " + std::string(text) + "\n\n"; }

constexpr std::string_view kSseDone = "data: [DONE]\n\n";

}  // namespace drystone

#include "app/cli/command.h"

#include <fmt/format.h>

#include <cstdio>

namespace drystone {

int finish(std::string_view command, const Result<void>& result) {
  // Results that were asked for are on disk or in the pipe, or it is a failure too.
  const bool flushed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!result) {
    fmt::print(stderr, "drystone {}: {} [{}]\n", command, result.error().message(),
               to_string(result.error().code()));
    return kExitFailed;
  }
  if (!flushed) {
    fmt::print(stderr, "drystone {}: cannot write to the standard output [io]\n", command);
    return kExitFailed;
  }
  return kExitOk;
}

std::string broken_into_lines(std::string_view list) {
  constexpr std::size_t kLineMax = 64;
  std::string out;
  while (list.size() > kLineMax) {
    const std::size_t comma = list.rfind(", ", kLineMax - 1);
    if (comma == std::string_view::npos) break;
    out += std::string(list.substr(0, comma + 1)) + "\n";
    list.remove_prefix(comma + 2);
  }
  return out + std::string(list);
}

void notice(std::string_view command, std::string_view text) {
  fmt::print(stderr, "drystone {}: {}\n", command, text);
}

}  // namespace drystone

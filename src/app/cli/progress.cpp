#include "app/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace drystone {

std::function<void(double)> terminal_progress(std::string doing) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [doing = std::move(doing), shown = -1](double done) mutable {
    const int percent = static_cast<int>(100 * std::clamp(done, 0.0, 1.0));
    if (percent == shown) return;
    shown = percent;
    fmt::print(stderr, "\r{}  {:3}%{}", doing, percent, percent == 100 ? "\n" : "");
    std::fflush(stderr);
  };
}

}  // namespace drystone

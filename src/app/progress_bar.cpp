#include "app/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace drystone {

std::function<void(double done)> progress_bar(std::string label) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [label = std::move(label), shown = -1](double done) mutable {
    constexpr int kWidth = 30;
    const int percent = std::clamp(static_cast<int>(done * 100), 0, 100);
    if (percent == shown) return;
    shown = percent;
    const int filled = percent * kWidth / 100;
    if (percent < 100)
      fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3}%", label, "", filled, "", kWidth - filled,
                 percent);
    else
      fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  };
}

}  // namespace drystone

#include "app/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

namespace drystone {
namespace {

class Bar {
 public:
  explicit Bar(std::string label) : label_(std::move(label)) {}
  ~Bar() { clear(); }  // also when what it counted failed half-way
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void show(double done) {
    constexpr int kWidth = 30;
    const int percent = std::clamp(static_cast<int>(done * 100), 0, 100);
    if (percent == percent_) return;
    if (percent == 100) return clear();
    percent_ = percent;
    const int filled = percent * kWidth / 100;
    fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3}%", label_, "", filled, "", kWidth - filled,
               percent);
    std::fflush(stderr);
  }

 private:
  void clear() {
    if (percent_ >= 0) fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    percent_ = -1;
  }

  std::string label_;
  int percent_ = -1;  // that is on the screen; -1: nothing is
};

}  // namespace

std::function<void(double done)> progress_bar(std::string label) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [bar = std::make_shared<Bar>(std::move(label))](double done) { bar->show(done); };
}

}  // namespace drystone

#pragma once

#include <stop_token>
#include <thread>

namespace drystone {

// While it lives, Ctrl-C (SIGINT) requests a stop instead of ending the program. At most one lives
// at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  int pipe_[2];  // the handler may only write a byte; the thread does the rest
  std::thread watcher_;
};

}  // namespace drystone

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace drystone {

// A server program that we start: a process group, so that wrappers and their children are counted
// and ended together. Linux only (it reads /proc).
class ChildServer {
 public:
  // `command`, one simple command, goes to a shell, with {port} replaced by a free port. Its output
  // goes to `log_path`. Blocks until GET /health answers 200. Errors: io, unavailable (it ended, or
  // was not ready in time; the end of its log is in the message).
  static Result<std::unique_ptr<ChildServer>> start(std::string command, std::string log_path,
                                                    const Clock& clock);
  ~ChildServer();  // SIGTERM, and after ten seconds SIGKILL

  const std::string& url() const { return url_; }
  double cpu_s() const;             // of all its processes, user and system
  std::uint64_t rss_bytes() const;  // of all its processes, now
  bool running() const;
  // Ends it as a service manager would. The exit code, or 128 + the signal that ended it.
  int stop();

 private:
  ChildServer(pid_t pid, std::string url, const Clock& clock)
      : pid_(pid), url_(std::move(url)), clock_(clock) {}

  pid_t pid_;
  std::string url_;
  const Clock& clock_;
  mutable bool ended_ = false;
  mutable int status_ = 0;
};

}  // namespace drystone

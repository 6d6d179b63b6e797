#include "app/node/stop_signals.h"

#include <csignal>
#include <cstdlib>

namespace drystone {

StopSignals::StopSignals() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  wait();
  thread_ = std::thread([this] { loop_.run(); });
}

StopSignals::~StopSignals() {
  loop_.stop();
  thread_.join();
}

void StopSignals::wait() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    {
      const std::lock_guard lock(mutex_);
      if (!stop_) std::_Exit(EXIT_SUCCESS);
      if (!asked_) stop_();
      asked_ = true;
    }
    wait();
  });
}

void StopSignals::watch(std::function<void()> stop) {
  const std::lock_guard lock(mutex_);
  stop_ = std::move(stop);
}

bool StopSignals::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

}  // namespace drystone

#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <mutex>
#include <thread>

namespace drystone {

// While it lives, SIGINT and SIGTERM stop what watch() was given instead of ending the process;
// where there is nothing to be stopped in order, they end it at once, with exit code 0. On a thread
// of its own, so that no signal gets lost while parts are built anew.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;

  // From now on a signal calls `stop`, on another thread; the first one only. Empty: see above.
  void watch(std::function<void()> stop);
  bool asked() const;

 private:
  void wait();

  boost::asio::io_context loop_{1};
  boost::asio::signal_set signals_{loop_};
  mutable std::mutex mutex_;
  std::function<void()> stop_;
  bool asked_ = false;
  std::thread thread_;
};

}  // namespace drystone

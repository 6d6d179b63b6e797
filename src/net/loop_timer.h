#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace drystone {

// A timer whose handler never runs after cancel() or its own end. A plain timer's does: once its
// time has come the handler stands in the loop's queue with success, and whoever takes the timer
// away after that (a loop that was frozen has many such handlers) is called nevertheless. On the
// loop, which runs one thing at a time; so a handler may capture the owner of its timer.
class LoopTimer {
 public:
  explicit LoopTimer(const boost::asio::any_io_executor& loop) : timer_(loop) {}
  ~LoopTimer() { cancel(); }
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  // Calls `then` once, after `pause`, in place of what it was waiting for. `then` may use this
  // timer again and may end it.
  void after(std::chrono::milliseconds pause, std::function<void()> then) {
    awaited_ = std::make_shared<const std::function<void()>>(std::move(then));
    timer_.expires_after(pause);
    timer_.async_wait([awaited = std::weak_ptr(awaited_)](boost::system::error_code error) {
      const auto call = awaited.lock();
      if (call && !error) (*call)();
    });
  }
  void cancel() {
    awaited_.reset();
    timer_.cancel();
  }

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<const std::function<void()>> awaited_;  // null: nothing is to follow
};

}  // namespace drystone

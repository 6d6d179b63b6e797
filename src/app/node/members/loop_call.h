#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>

#include "base/result.h"

namespace drystone {

constexpr std::chrono::milliseconds kLoopCallWithin{10'000}, kLoopLookEvery{100};

// What `work` returns (a Result) on the thread of `loop`, from another thread; blocks. `work` may
// run later than this returns, so it owns what it uses. Errors: those of `work`; unavailable (the
// loop has ended, as `ended` tells, or is stuck).
template <typename Work, typename Ended>
auto call_on(const boost::asio::any_io_executor& loop, const Ended& ended, Work work)
    -> decltype(work()) {
  using Outcome = decltype(work());
  auto promise = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future = promise->get_future();
  boost::asio::post(loop, [promise = std::move(promise), work = std::move(work)]() mutable {
    try {
      promise->set_value(work());
    } catch (const std::exception& failure) {
      promise->set_value(Error(Errc::io, failure.what()));
    }
  });
  std::chrono::milliseconds waited{};
  while (future.wait_for(kLoopLookEvery) != std::future_status::ready) {
    waited += kLoopLookEvery;
    if (ended() || waited >= kLoopCallWithin)
      return Error(Errc::unavailable, "this node is stopping, or too busy to answer");
  }
  try {
    return future.get();
  } catch (const std::future_error&) {  // dropped with the loop
    return Error(Errc::unavailable, "this node is stopping");
  }
}

}  // namespace drystone

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace drystone {

// Asks the loop of another thread and waits for the answer on one's own: runs `work` there, which
// calls what it is given once with the answer, then or later, on that loop. nullopt: no answer
// within `within`; the other loop may have ended. `work` must own what it uses, and may run after
// this has returned.
template <typename T>
boost::asio::awaitable<std::optional<T>> ask_loop(boost::asio::any_io_executor there,
                                                  std::function<void(std::function<void(T)>)> work,
                                                  std::chrono::milliseconds within) {
  namespace asio = boost::asio;
  struct Shared {
    std::mutex mutex;
    asio::steady_timer* wake = nullptr;  // null when nobody waits any more
    std::optional<T> answer;
  };
  const auto here = co_await asio::this_coro::executor;
  asio::steady_timer wake(here, within);
  const auto shared = std::make_shared<Shared>();
  shared->wake = &wake;
  struct Leave {
    Shared& shared;
    ~Leave() {
      const std::lock_guard lock(shared.mutex);
      shared.wake = nullptr;
    }
  } leave{*shared};
  asio::post(there, [shared, here, work = std::move(work)] {
    work([shared, here](T answer) {
      const std::lock_guard lock(shared->mutex);
      if (shared->wake == nullptr) return;  // nor is its loop there for sure
      shared->answer = std::move(answer);
      asio::post(here, [shared] {
        const std::lock_guard waiting(shared->mutex);
        if (shared->wake != nullptr) shared->wake->cancel();
      });
    });
  });
  co_await wake.async_wait(asio::as_tuple(asio::use_awaitable));
  std::optional<T> answer;
  {
    const std::lock_guard lock(shared->mutex);
    shared->wake = nullptr;  // an answer from now on is too late
    answer = std::move(shared->answer);
  }
  co_return answer;
}

}  // namespace drystone

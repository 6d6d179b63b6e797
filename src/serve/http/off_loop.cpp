#include "serve/http/off_loop.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <new>

namespace drystone {
namespace asio = boost::asio;

namespace {

enum class Outcome { done, out_of_memory, failed };

// Makes nothing of what was thrown that could need memory itself.
Outcome try_to(const std::function<void()>& job) noexcept {
  try {
    job();
    return Outcome::done;
  } catch (const std::bad_alloc&) {
    return Outcome::out_of_memory;
  } catch (...) {
    return Outcome::failed;
  }
}

std::optional<ApiError> to_refusal(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return std::nullopt;
    case Outcome::out_of_memory:
      return ApiError{.status = 503,
                      .message =
                          "The server has too little memory left for this request; try "
                          "again later, or send a smaller one.",
                      .code = "out_of_memory",
                      .retry_after_s = 5};
    case Outcome::failed:
      break;
  }
  return ApiError{.message = "The server failed to read this request."};
}

}  // namespace

asio::awaitable<std::optional<ApiError>> OffLoop::run(const std::function<void()>& job) {
  Outcome outcome = Outcome::failed;
  // Not by co_spawn: a cancellation would reach the other thread's coroutine after its end.
  const auto start = [this, &job, &outcome](auto handler) {
    asio::post(thread_, [&job, &outcome, handler = std::move(handler)]() mutable {
      outcome = try_to(job);
      const auto back = asio::get_associated_executor(handler);
      asio::post(back, std::move(handler));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  co_return to_refusal(outcome);
}

}  // namespace drystone

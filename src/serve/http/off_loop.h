#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <optional>

#include "serve/http/api_error.h"

namespace drystone {

// A thread for work that would hold up the loop: one job after the other, in the order in which
// they came. What may take long and what is waited for at once belong on threads of their own.
class OffLoop {
 public:
  OffLoop() = default;
  OffLoop(const OffLoop&) = delete;
  ~OffLoop() { thread_.join(); }  // waits for all jobs

  // Runs `job` there and returns on the loop when it is over, also when the client has left
  // meanwhile: so the job may use what the caller's frame holds. A job that throws ends its own
  // request and nothing else; then the refusal to send, else nothing:
  //   503 out_of_memory  std::bad_alloc: there may be room again when others are done
  //   500                all else
  boost::asio::awaitable<std::optional<ApiError>> run(const std::function<void()>& job);

 private:
  boost::asio::thread_pool thread_{1};
};

}  // namespace drystone

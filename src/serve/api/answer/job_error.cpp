#include "serve/api/answer/job_error.h"

namespace drystone {

ApiError cancelled_error(const HeldModel& held) {
  if (auto error = held.gone()) return *std::move(error);
  return {.status = 503,
          .message = "The model ended this answer; it is incomplete.",
          .code = "server_stopping"};
}

ApiError not_taken(const Error& error) {
  if (error.code() == Errc::limit)
    return invalid_request({}, "This request can never fit: " + error.message() + ".",
                           "context_length_exceeded");
  return to_api_error(error);
}

}  // namespace drystone

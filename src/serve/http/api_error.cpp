#include "serve/http/api_error.h"

#include <boost/json.hpp>

namespace drystone {

ApiError invalid_request(std::string param, std::string message, std::string code) {
  return {.status = 400,
          .type = "invalid_request_error",
          .message = std::move(message),
          .param = std::move(param),
          .code = std::move(code)};
}

ApiError to_api_error(const Error& error) {
  switch (error.code()) {
    case Errc::invalid_argument:
    case Errc::unsupported:
      return invalid_request({}, error.message());
    case Errc::limit:  // Of a chat template, say; for a long prompt endpoints have a code of its
                       // own.
      return invalid_request({}, error.message(), "limit_exceeded");
    case Errc::unavailable:
    case Errc::cancelled:
      return {.status = 503, .message = error.message(), .code = "unavailable", .retry_after_s = 1};
    case Errc::busy:
      return {.status = 429,
              .type = "rate_limit_error",
              .message = error.message(),
              .code = "queue_full",
              .retry_after_s = 5};
    case Errc::out_of_memory:
      return {.status = 503, .message = error.message(), .code = "out_of_memory"};
    default:
      return {.status = 500, .message = error.message()};
  }
}

namespace {
boost::json::value or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}
}  // namespace

std::string to_json(const ApiError& error) {
  const boost::json::value body = {{"error",
                                    {{"message", error.message},
                                     {"type", error.type},
                                     {"param", or_null(error.param)},
                                     {"code", or_null(error.code)}}}};
  return boost::json::serialize(body);
}

}  // namespace drystone

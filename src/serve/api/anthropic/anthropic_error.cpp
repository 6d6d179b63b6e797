#include "serve/api/anthropic/anthropic_error.h"

#include <boost/json.hpp>

namespace drystone {

namespace {
std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}
}  // namespace

std::string anthropic_error(const ApiError& error) {
  const boost::json::value body = {
      {"type", "error"}, {"error", {{"type", type_of(error.status)}, {"message", error.message}}}};
  return boost::json::serialize(body);
}

}  // namespace drystone

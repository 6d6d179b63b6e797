#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/result.h"

namespace drystone {

// A refusal as OpenAI's clients read it: an HTTP status and {"error": {message, type, param,
// code}}.
struct ApiError {
  int status = 500;
  std::string type = "server_error";
  std::string message;
  std::string
      param;         // the request's field at fault, such as "messages[1].role"; "" is sent as null
  std::string code;  // machine-readable reason; "" is sent as null
  int retry_after_s = 0;  // > 0: sent as Retry-After
};

// 400 invalid_request_error.
ApiError invalid_request(std::string param, std::string message, std::string code = {});

// What the model said: invalid_argument is the client's fault, limit is a prompt that does not fit,
// busy a full queue (429), unavailable and out_of_memory are 503, the rest is ours.
ApiError to_api_error(const Error& error);

std::string to_json(const ApiError& error);

// How a dialect writes a refusal.
using ErrorBody = std::string (*)(const ApiError&);

// A T, or the refusal to send.
template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value)
      : value_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  ApiResult(ApiError error)
      : value_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  explicit operator bool() const { return value_.index() == 0; }
  T& operator*() & { return check(), std::get<0>(value_); }
  const T& operator*() const& { return check(), std::get<0>(value_); }
  T&& operator*() && { return check(), std::get<0>(std::move(value_)); }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const ApiError& error() const {
    CHECK(value_.index() == 1);
    return std::get<1>(value_);
  }

 private:
  void check() const { CHECK(value_.index() == 0, error().message); }
  std::variant<T, ApiError> value_;
};

}  // namespace drystone

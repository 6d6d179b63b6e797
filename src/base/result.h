#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace drystone {

// What kind of failure it is: callers branch on this, people read the message.
enum class Errc {
  invalid_argument,  // the caller or user asked for something that makes no sense
  not_found,         // a file, model or name does not exist
  io,                // the operating system refused or failed
  corrupt,           // foreign bytes disagree with their own format
  unsupported,       // well-formed, but a type, architecture or feature that is not implemented
  out_of_memory,     // does not fit; nothing stays reserved
  limit,             // a named maximum was reached
  cancelled,         // the caller asked to stop
  closed,            // the other side ended normally
  unavailable,       // not now: loading, unreachable, lost
  busy,              // not now: a queue is full; soon again
};

std::string_view to_string(Errc code);

// A failure of the world. The message says what failed, on which thing, expected against actual,
// and what to do next.
class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error, with what we were doing in front: "loading x.gguf: <message>".
  Error with(std::string_view doing) && {
    message_ = std::string(doing) + ": " + message_;
    return std::move(*this);
  }

 private:
  Errc code_;
  std::string message_;
};

// A T, or the Error that kept us from making one.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : value_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error)
      : value_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  explicit operator bool() const { return value_.index() == 0; }
  bool has_value() const { return value_.index() == 0; }
  bool is(Errc code) const { return !has_value() && error().code() == code; }

  T& value() & { return check_value(), std::get<0>(value_); }
  const T& value() const& { return check_value(), std::get<0>(value_); }
  T&& value() && { return check_value(), std::get<0>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    CHECK(!has_value());
    return std::get<1>(value_);
  }
  Error&& error() && {
    CHECK(!has_value());
    return std::get<1>(std::move(value_));
  }

 private:
  void check_value() const { CHECK(has_value(), error().message()); }
  std::variant<T, Error> value_;
};

// Success, or an Error. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT: implicit by design

  explicit operator bool() const { return !failed_; }
  bool has_value() const { return !failed_; }
  bool is(Errc code) const { return failed_ && error_.code() == code; }
  void value() const { CHECK(!failed_, error_.message()); }
  const Error& error() const& {
    CHECK(failed_);
    return error_;
  }
  Error&& error() && {
    CHECK(failed_);
    return std::move(error_);
  }

 private:
  Error error_{Errc::io, ""};
  bool failed_ = false;
};

}  // namespace drystone

// TRY(expression) is the value of a Result; if it holds an error, the enclosing function returns
// that error.
#define TRY(...)                                             \
  __extension__({                                            \
    auto try_result_ = (__VA_ARGS__);                        \
    if (!try_result_) return std::move(try_result_).error(); \
    std::move(try_result_).value();                          \
  })

#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace drystone::reply {

struct Done {};  // what a parser gives that has nothing to say

// Parse<T> is a parser, or a piece of one, that waits for text in its midst: a coroutine that gives
// a T to the parser that awaits it. It runs when it is awaited (or with start()) and goes on where
// it was when the reader that it waits for gets more text. Its references must outlive it.
template <typename T>
class [[nodiscard]] Parse {
 public:
  struct promise_type {  // NOLINT(readability-identifier-naming): the language's name
    std::optional<T> value;
    std::coroutine_handle<> parent;

    Parse get_return_object() {
      return Parse(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Finish {
      bool await_ready() noexcept { return false; }
      // The parent may destroy this coroutine while it runs on, so nothing may follow here.
      void await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        if (const auto parent = done.promise().parent) parent.resume();
      }
      void await_resume() noexcept {}
    };
    Finish final_suspend() noexcept { return {}; }
    void return_value(T result) { value = std::move(result); }
    void unhandled_exception() { std::terminate(); }
  };

  Parse(Parse&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Parse& operator=(Parse&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Parse() {
    if (handle_) handle_.destroy();
  }

  void start() { handle_.resume(); }

  bool await_ready() { return false; }
  // Runs here and now as far as it gets, so that the stack grows with the depth of the parsers and
  // not with the number of their steps.
  bool await_suspend(std::coroutine_handle<> parent) {
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().parent = parent;
    return true;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

 private:
  explicit Parse(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace drystone::reply

#pragma once

#include <fmt/format.h>

#include <string>

// CHECK(cond, values...) states what must hold if our own code is right. It stays on in release
// builds; on failure it prints the condition, the place and the values, and ends the process. What
// the world can get wrong (files, peers, users, memory) is a Result (base/result.h), not a CHECK.

namespace drystone {

[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& values);

template <typename... Values>
[[noreturn]] void check_failed_with(const char* condition, const char* file, int line,
                                    const Values&... values) {
  std::string text;
  ((text += fmt::format(" {}", values)), ...);
  check_failed(condition, file, line, text);
}

}  // namespace drystone

#define CHECK(condition, ...)                                                                   \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      ::drystone::check_failed_with(#condition, __FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

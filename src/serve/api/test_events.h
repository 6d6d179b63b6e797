#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

namespace drystone {

struct TestEvent {
  std::string name;  // of its event: line; "" without one
  boost::json::value data;
  std::string type() const {
    const auto* type = data.is_object() ? data.get_object().if_contains("type") : nullptr;
    return type == nullptr ? "" : std::string(type->as_string());
  }
};

// The server-sent events of a stream, comments left out; "[DONE]" is a string.
inline std::vector<TestEvent> read_events(const std::string& body) {
  std::vector<TestEvent> out;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "cut: " << body.substr(at);
      break;
    }
    TestEvent event;
    std::size_t line = at;
    at = end + 2;
    if (body[line] == ':') continue;
    if (body.compare(line, 7, "event: ") == 0) {
      const std::size_t line_end = body.find('\n', line);
      event.name = body.substr(line + 7, line_end - line - 7);
      line = line_end + 1;
    }
    EXPECT_EQ(body.substr(line, 6), "data: ");
    const std::string data = body.substr(line + 6, end - line - 6);
    event.data = data == "[DONE]" ? boost::json::value("[DONE]") : boost::json::parse(data);
    out.push_back(std::move(event));
  }
  return out;
}

inline std::vector<std::string> types_of(const std::vector<TestEvent>& events) {
  std::vector<std::string> out;  // neighbours of one type once
  for (const TestEvent& event : events)
    if (out.empty() || out.back() != event.type()) out.push_back(event.type());
  return out;
}

// What a model of the Hermes kind writes.
constexpr const char* kToolAnswer =
    "<think>\nhm\n</think>\n\nLet me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": "
    "{\"city\": \"Bern\"}}\n</tool_call>";

}  // namespace drystone

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/chat_template/value.h"

namespace drystone::jinja {

// What {{ value }} shows: Python's str(). Strings come without a copy of the caller's.
std::string to_text(Heap& heap, const Value& v);
// Python's repr(): strings in quotes.
std::string to_repr(Heap& heap, const Value& v);
std::string real_text(double v);  // 1.0, 1e+16, inf

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level of it
  std::string item_separator = ", ", key_separator = ": ";
};
// Python's json.dumps(). Errors: for values that JSON does not know.
std::string to_json(Heap& heap, const Value& v, const JsonStyle& style);

}  // namespace drystone::jinja

#include "serve/peer/control/control_protocol.h"

#include <boost/json.hpp>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace json = boost::json;

std::string control_error_json(std::string_view message) {
  return json::serialize(json::object{{"error", json::object{{"message", message}}}});
}

std::string control_error_message(std::string_view text) {
  const auto parsed = parse_json(text, {.bytes_max = kControlErrorBytesMax, .depth_max = 4});
  const json::object* outer = parsed ? parsed->if_object() : nullptr;
  const json::value* error = outer ? outer->if_contains("error") : nullptr;
  const json::object* inner = error ? error->if_object() : nullptr;
  const json::value* message = inner ? inner->if_contains("message") : nullptr;
  const json::string* said = message ? message->if_string() : nullptr;
  if (!said) return "it gives no reason";
  std::string shown(*said);
  for (char& letter : shown)  // it goes to a terminal
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = ' ';
  return shown;
}

}  // namespace drystone

#include "serve/api/answer/request_body.h"

#include <fmt/format.h>

#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

ApiResult<json::object> parse_object(std::string_view body) {
  if (body.empty()) return invalid_request({}, "The request has no body; send a JSON object.");
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::stream_parser parser({}, options);
  json::error_code error;
  const std::size_t read = parser.write_some(body.data(), body.size(), error);
  if (!error) parser.finish(error);
  if (!error && read < body.size()) error = json::error::extra_data;
  if (error)
    return invalid_request(
        {}, fmt::format("The body is not valid JSON near byte {}: {}.", read, error.message()),
        "invalid_json");
  json::value value = parser.release();
  if (!value.is_object())
    return invalid_request(
        {}, fmt::format("The body must be a JSON object, but is {}.", kind_name(value)));
  return std::move(value.get_object());
}

void read_stop(RequestFields& fields, std::string_view name, std::vector<std::string>& out) {
  const json::value* value = fields.find(name);
  if (value == nullptr) return;
  const auto add = [&](std::string_view at, const json::value& text) {
    if (!text.is_string()) return fields.wrong_kind(at, "a string", text);
    const std::size_t bytes = text.get_string().size();
    if (bytes == 0 || bytes > kStopBytesMax)
      return fields.fail(at, fmt::format("'{}' has {} bytes; a stop string has 1 to {}.", at, bytes,
                                         kStopBytesMax));
    out.emplace_back(text.get_string());
  };
  if (value->is_string()) return add(name, *value);
  if (!value->is_array()) return fields.wrong_kind(name, "a string or an array of strings", *value);
  const json::array& stops = value->get_array();
  if (stops.size() > kStopStringsMax)
    return fields.fail(name, fmt::format("'{}' has {} strings; at most {} are accepted.", name,
                                         stops.size(), kStopStringsMax));
  for (std::size_t i = 0; i < stops.size(); ++i) add(fmt::format("{}[{}]", name, i), stops[i]);
}

}  // namespace drystone

#include "serve/api/answer/request_body.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "serve/http/limits.h"
#include "serve/http/utf8.h"

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::size_t kIgnoredMax = 64;       // more names than that tell nobody more
constexpr std::size_t kQuotedBytesMax = 128;  // of what the client sent, in our messages

// Where `text` stops to be UTF-8, if it does.
std::optional<std::size_t> first_invalid_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (bytes > 1 && !is_valid_utf8(text.substr(at, bytes))) return at;
    at += bytes;
  }
  return std::nullopt;
}

json::parse_options bounded() {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  return options;
}

// Whether `text` is the beginning of JSON.
bool begins_json(std::string_view text) {
  json::stream_parser parser({}, bounded());
  json::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  return !error && read == text.size();
}

ApiError not_json(std::string message) {
  return invalid_request({}, std::move(message), "invalid_json");
}

// Why `body` is no JSON; the parser failed at byte `at` with `error`.
ApiError why_not_json(std::string_view body, std::size_t at, const json::error_code& error) {
  const auto invalid = first_invalid_byte(body);
  if (invalid && begins_json(body.substr(0, *invalid)))
    return not_json(fmt::format(
        "The body is not valid UTF-8: byte {} (the first is 0) is 0x{:02X}, which no character "
        "begins with or has there. JSON is always UTF-8.",
        *invalid, static_cast<unsigned char>(body[*invalid])));
  if (error == json::error::incomplete)
    return not_json(
        fmt::format("The body ends in the midst of its JSON, after {} bytes.", body.size()));
  if (error == json::error::too_deep)
    return not_json(
        fmt::format("The body's JSON is nested deeper than {} levels at byte {} (the first is 0).",
                    kJsonDepthMax, at));
  return not_json(fmt::format("The body is not valid JSON at byte {} (the first is 0): {}.", at,
                              error.message()));
}

}  // namespace

ApiResult<json::object> parse_object(std::string_view body) {
  if (body.empty()) return invalid_request({}, "The request has no body; send a JSON object.");
  json::stream_parser parser({}, bounded());
  json::error_code error;
  const std::size_t read = parser.write_some(body.data(), body.size(), error);
  const std::size_t more = body.find_first_not_of(" \t\r\n", read);
  if (!error && more == std::string_view::npos) parser.finish(error);
  if (error) return why_not_json(body, read, error);
  if (more != std::string_view::npos)
    return not_json(fmt::format(
        "The body's JSON is complete, but something else follows it at byte {} (the first is 0). "
        "Send one JSON object and nothing behind it.",
        more));
  json::value value = parser.release();
  if (!value.is_object())
    return invalid_request(
        {}, fmt::format("The body must be a JSON object, but is {}.", kind_name(value)));
  return std::move(value.get_object());
}

void read_seed(RequestFields& fields, std::optional<std::uint64_t>& out) {
  const json::value* value = fields.find("seed");
  if (value == nullptr) return;
  if (!value->is_number()) return fields.wrong_kind("seed", "an integer", *value);
  if (value->is_int64()) {
    out = static_cast<std::uint64_t>(value->get_int64());
  } else if (value->is_uint64()) {
    out = value->get_uint64();
  } else {
    // Clients in languages with one number type send 5.0 for 5, and large ones with an exponent.
    const double number = value->get_double();
    const bool whole = std::floor(number) == number && number >= -0x1p63 && number < 0x1p64;
    if (!whole)
      return fields.fail("seed",
                         fmt::format("'seed' must be an integer of 64 bits (-2^63 to 2^64 - 1), "
                                     "but is {}.",
                                     number),
                         "invalid_value");
    out = number < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(number))
                     : static_cast<std::uint64_t>(number);
  }
}

std::string read_effort(RequestFields& fields, std::string_view path, std::string_view name) {
  static constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium",
                                                  "high", "xhigh",   "max"};
  std::string effort;
  fields.string(name, effort);
  if (effort.empty() || std::ranges::find(kEfforts, effort) != std::end(kEfforts)) return effort;
  fields.fail(
      name, fmt::format("'{}{}' must be one of \"{}\".", path, name, fmt::join(kEfforts, "\", \"")),
      "invalid_value");
  return {};
}

ApiError unknown_parameter(std::string_view name) {
  constexpr std::string_view kCode = "unknown_parameter";
  if (name.size() <= kQuotedBytesMax)
    return invalid_request(std::string(name), fmt::format("'{}' is not known here.", name),
                           std::string(kCode));
  const std::string begin = valid_utf8(name.substr(0, kQuotedBytesMax));
  return invalid_request(
      begin + "...",
      fmt::format("'{}...', a name of {} bytes, is not known here.", begin, name.size()),
      std::string(kCode));
}

void refuse_unknown(RequestFields& inner) {
  const std::vector<std::string> names = inner.unknown();
  if (!names.empty()) inner.fail(unknown_parameter(names[0]));
}

void note_ignored(std::string name, std::vector<std::string>& ignored) {
  if (ignored.size() < kIgnoredMax && std::ranges::find(ignored, name) == ignored.end())
    ignored.push_back(std::move(name));
}

void note_unknown(const RequestFields& part, std::string_view path, std::string_view shown,
                  std::vector<std::string>& ignored) {
  for (const std::string& name : part.unknown())
    note_ignored(fmt::format("{}.{}", shown, std::string_view(name).substr(path.size())), ignored);
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

#include "cluster/wire/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/base32.h"

namespace drystone {
namespace {

namespace json = boost::json;

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::optional<std::uint64_t> whole_number(const json::value& value) {
  if (const auto* large = value.if_uint64()) return *large;
  if (const auto* plain = value.if_int64(); plain != nullptr && *plain >= 0)
    return static_cast<std::uint64_t>(*plain);
  return std::nullopt;
}

}  // namespace

JsonFields::JsonFields(const json::value& value, std::string what) : what_(std::move(what)) {
  object_ = value.if_object();
  if (object_ == nullptr) error_ = Error(Errc::corrupt, fmt::format("{}: no JSON object", what_));
}

const json::value* JsonFields::find(std::string_view name) {
  if (object_ == nullptr) return nullptr;
  known_.push_back(name);
  return object_->if_contains({name.data(), name.size()});
}

const json::value* JsonFields::need(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) fail(name, "is missing");
  return value;
}

const json::array* JsonFields::need_array(std::string_view name, std::size_t items_max) {
  const json::value* value = need(name);
  if (value == nullptr) return nullptr;
  const json::array* array = value->if_array();
  if (array == nullptr) return fail(name, "is no array"), nullptr;
  if (array->size() > items_max)
    return fail(name, fmt::format("has {} items: at most {}", array->size(), items_max)), nullptr;
  return array;
}

std::optional<std::uint64_t> JsonFields::whole(std::string_view name, const json::value& value,
                                               std::uint64_t min, std::uint64_t max) {
  const auto number = whole_number(value);
  if (number && *number >= min && *number <= max) return number;
  fail(name, fmt::format("is no integer in {}..{}", min, max));
  return std::nullopt;
}

void JsonFields::number(std::string_view name, double& out, double min, double max) {
  const json::value* value = need(name);
  if (value == nullptr) return;
  if (value->is_number()) {
    const double number = value->to_number<double>();
    if (std::isfinite(number) && number >= min && number <= max) return out = number, void();
  }
  fail(name, fmt::format("is no number in {:g}..{:g}", min, max));
}

void JsonFields::maybe_number(std::string_view name, std::optional<double>& out, double min,
                              double max) {
  if (find(name) == nullptr) return;
  double value = min;
  number(name, value, min, max);
  if (ok()) out = value;
}

void JsonFields::boolean(std::string_view name, bool& out) {
  const json::value* value = need(name);
  if (value == nullptr) return;
  if (!value->is_bool()) return fail(name, "is no boolean");
  out = value->get_bool();
}

void JsonFields::maybe_boolean(std::string_view name, bool& out) {
  if (has(name)) boolean(name, out);
}

const json::string* JsonFields::need_text(std::string_view name, std::size_t bytes_max) {
  const json::value* value = need(name);
  if (value == nullptr) return nullptr;
  const json::string* text = value->if_string();
  if (text == nullptr) return fail(name, "is no string"), nullptr;
  if (text->size() > bytes_max)
    return fail(name, fmt::format("has {} bytes: at most {}", text->size(), bytes_max)), nullptr;
  return text;
}

void JsonFields::text(std::string_view name, std::string& out, std::size_t bytes_max) {
  if (const json::string* text = need_text(name, bytes_max)) out.assign(text->data(), text->size());
}

void JsonFields::string(std::string_view name, std::string& out, std::size_t bytes_max) {
  const json::string* text = need_text(name, bytes_max);
  if (text == nullptr) return;
  if (has_control(*text)) return fail(name, "has control characters");
  out.assign(text->data(), text->size());
}

void JsonFields::maybe_string(std::string_view name, std::string& out, std::size_t bytes_max) {
  if (find(name) != nullptr) string(name, out, bytes_max);
}

void JsonFields::bytes(std::string_view name, std::span<std::uint8_t> out) {
  const json::string* letters = need_text(name, out.size() * 2);
  if (letters == nullptr) return;
  // One form only, so that equal things have equal texts.
  if (std::ranges::any_of(*letters, [](char c) { return c >= 'A' && c <= 'Z'; }))
    return fail(name, "is in upper case");
  if (auto read = from_base32({letters->data(), letters->size()}, out); !read)
    fail(name, read.error().message());
}

void JsonFields::hex64(std::string_view name, std::uint64_t& out) {
  const json::string* text = need_text(name, 16);
  if (text == nullptr) return;
  const auto number = from_hex64({text->data(), text->size()});
  if (!number) return fail(name, number.error().message());
  out = *number;
}

void JsonFields::fail(std::string_view name, std::string_view problem) {
  fail(Error(Errc::corrupt, fmt::format("{}: \"{}\" {}", what_, name, problem)));
}

void JsonFields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void JsonFields::fail_element(std::string_view name, std::size_t index, Error error) {
  fail(std::move(error).with(fmt::format("{}: {}[{}]", what_, name, index)));
}

Result<void> JsonFields::finish() {
  if (error_) return *error_;
  return {};
}

Result<void> JsonFields::finish_strictly() {
  if (object_ != nullptr)
    for (const auto& field : *object_)
      if (const std::string_view name = field.key();
          std::ranges::find(known_, name) == known_.end())
        fail(name.substr(0, 64), "is not known");
  return finish();
}

Result<std::uint64_t> json_number(const json::value& value, std::uint64_t max) {
  const auto number = whole_number(value);
  if (!number) return Error(Errc::corrupt, "is no whole number from 0");
  if (*number > max) return Error(Errc::corrupt, fmt::format("is {}, at most {}", *number, max));
  return *number;
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  std::size_t end = std::min(text.size(), bytes_max);
  while (end > 0 && end < text.size() && continues(text[end])) --end;
  std::string line(text.substr(0, end));
  for (char& c : line)
    if (has_control({&c, 1})) c = ' ';
  return line;
}

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits,
                               std::string_view what) {
  if (text.size() > limits.bytes_max)
    return Error(Errc::limit,
                 fmt::format("{}: {} bytes, at most {}", what, text.size(), limits.bytes_max));
  json::error_code problem;
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::value value = json::parse({text.data(), text.size()}, problem, {}, options);
  if (problem) return Error(Errc::corrupt, fmt::format("{}: {}", what, problem.message()));
  return value;
}

std::string to_hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

Result<std::uint64_t> from_hex64(std::string_view text) {
  if (text.size() != 16) return Error(Errc::corrupt, "is not 16 hex digits");
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return Error(Errc::corrupt, "is not 16 hex digits");
    value = value << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

}  // namespace drystone

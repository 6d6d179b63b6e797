#include "cluster/plan/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 32;

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

JsonFields::JsonFields(const json::value& value, std::string what) : what_(std::move(what)) {
  object_ = value.if_object();
  if (object_ == nullptr) error_ = Error(Errc::corrupt, fmt::format("{}: no JSON object", what_));
}

const json::value* JsonFields::find(std::string_view name) {
  if (object_ == nullptr) return nullptr;
  known_.emplace(name);
  return object_->if_contains(name);
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
  std::optional<std::uint64_t> number;
  if (const auto* plain = value.if_int64(); plain != nullptr && *plain >= 0)
    number = static_cast<std::uint64_t>(*plain);
  else if (const auto* large = value.if_uint64())
    number = *large;
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

void JsonFields::string(std::string_view name, std::string& out, std::size_t bytes_max) {
  const json::value* value = need(name);
  if (value == nullptr) return;
  const json::string* text = value->if_string();
  if (text == nullptr) return fail(name, "is no string");
  if (text->size() > bytes_max)
    return fail(name, fmt::format("has {} bytes: at most {}", text->size(), bytes_max));
  if (has_control(*text)) return fail(name, "has control characters");
  out.assign(text->data(), text->size());
}

void JsonFields::maybe_string(std::string_view name, std::string& out, std::size_t bytes_max) {
  if (find(name) != nullptr) string(name, out, bytes_max);
}

void JsonFields::fail(std::string_view name, std::string_view problem) {
  fail(Error(Errc::corrupt, fmt::format("{}: \"{}\" {}", what_, name, problem)));
}

void JsonFields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<void> JsonFields::finish() {
  if (error_) return *error_;
  return {};
}

Result<void> JsonFields::finish_strictly() {
  if (object_ != nullptr)
    for (const auto& field : *object_)
      if (!known_.contains(std::string_view(field.key())))
        fail(std::string_view(field.key()).substr(0, 64), "is not known");
  return finish();
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

Result<json::value> parse_json(std::string_view text, std::size_t bytes_max,
                               std::string_view what) {
  if (text.size() > bytes_max)
    return Error(Errc::limit,
                 fmt::format("{}: {} bytes, at most {}", what, text.size(), bytes_max));
  json::error_code problem;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::value value = json::parse({text.data(), text.size()}, problem, {}, options);
  if (problem) return Error(Errc::corrupt, fmt::format("{}: {}", what, problem.message()));
  return value;
}

}  // namespace drystone

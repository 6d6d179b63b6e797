#include "model/gguf/metadata.h"

#include <fmt/format.h>

#include <limits>

namespace drystone {
namespace {

const char* kind_name(const MetadataValue& value) {
  static constexpr const char* kNames[] = {"an integer", "a float", "a bool", "a string",
                                           "an array"};
  return kNames[value.index()];
}

Error wrong_kind(std::string_view key, const MetadataValue& value, std::string_view expected) {
  return {Errc::corrupt, fmt::format("'{}' is {}, expected {}", key, kind_name(value), expected)};
}

template <typename T>
Result<std::optional<T>> scalar(const Metadata& metadata, std::string_view key,
                                std::string_view expected) {
  const MetadataValue* value = metadata.find(key);
  if (value == nullptr) return std::optional<T>();
  if (const T* held = std::get_if<T>(value)) return std::optional<T>(*held);
  return wrong_kind(key, *value, expected);
}

template <typename T>
Result<T> required(Result<std::optional<T>> value, std::string_view key) {
  std::optional<T> held = TRY(std::move(value));
  if (!held) return Error(Errc::not_found, fmt::format("'{}' is missing from the metadata", key));
  return std::move(*held);
}

template <typename T>
const std::vector<T>* array(const Metadata& metadata, std::string_view key) {
  const MetadataValue* value = metadata.find(key);
  const MetadataArray* held = value == nullptr ? nullptr : std::get_if<MetadataArray>(value);
  return held == nullptr ? nullptr : std::get_if<std::vector<T>>(held);
}

}  // namespace

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void Metadata::set(std::string key, MetadataValue value) {
  values_.insert_or_assign(std::move(key), std::move(value));
}

Result<std::optional<std::uint32_t>> Metadata::u32(std::string_view key) const {
  const auto value = TRY(scalar<std::int64_t>(*this, key, "an integer"));
  if (!value) return std::optional<std::uint32_t>();
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  if (*value < 0 || *value > std::int64_t{kMax})
    return Error(Errc::corrupt, fmt::format("'{}' is {}, expected 0 to {}", key, *value, kMax));
  return std::optional(static_cast<std::uint32_t>(*value));
}

Result<std::optional<float>> Metadata::f32(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::optional<float>();
  if (const auto* integer = std::get_if<std::int64_t>(value))
    return std::optional(static_cast<float>(*integer));
  if (const auto* real = std::get_if<double>(value))
    return std::optional(static_cast<float>(*real));
  return wrong_kind(key, *value, "a number");
}

Result<std::optional<bool>> Metadata::boolean(std::string_view key) const {
  return scalar<bool>(*this, key, "a bool");
}

Result<std::optional<std::string>> Metadata::string(std::string_view key) const {
  return scalar<std::string>(*this, key, "a string");
}

Result<std::uint32_t> Metadata::required_u32(std::string_view key) const {
  return required(u32(key), key);
}
Result<float> Metadata::required_f32(std::string_view key) const { return required(f32(key), key); }
Result<std::string> Metadata::required_string(std::string_view key) const {
  return required(string(key), key);
}

const std::vector<std::string>* Metadata::strings(std::string_view key) const {
  return array<std::string>(*this, key);
}
const std::vector<std::int64_t>* Metadata::integers(std::string_view key) const {
  return array<std::int64_t>(*this, key);
}
const std::vector<double>* Metadata::doubles(std::string_view key) const {
  return array<double>(*this, key);
}
const std::vector<bool>* Metadata::booleans(std::string_view key) const {
  return array<bool>(*this, key);
}

}  // namespace drystone

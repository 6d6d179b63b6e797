#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string_view>

namespace drystone {

// Fields of a node's answer, which another version may have written: what is missing or of another
// kind counts as absent.
inline const boost::json::value* field_of(const boost::json::value& value, std::string_view name) {
  const auto* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}
inline const boost::json::array& list_of(const boost::json::value& value, std::string_view name) {
  static const boost::json::array kNone;
  const auto* field = field_of(value, name);
  const auto* list = field == nullptr ? nullptr : field->if_array();
  return list == nullptr ? kNone : *list;
}
inline std::optional<double> number_of(const boost::json::value& value, std::string_view name) {
  const auto* field = field_of(value, name);
  if (field == nullptr || !field->is_number()) return std::nullopt;
  return field->to_number<double>();
}
inline bool truth_of(const boost::json::value& value, std::string_view name, bool otherwise) {
  const auto* field = field_of(value, name);
  return field == nullptr || !field->is_bool() ? otherwise : field->as_bool();
}

}  // namespace drystone

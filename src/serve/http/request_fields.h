#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"

namespace drystone {

// "a string", "an array", ...: how messages name what was found.
std::string_view kind_name(const boost::json::value& value);

// Reads the fields of a JSON object one by one and keeps the first mistake, named as the client
// knows it. A null counts as absent, as in OpenAI's API. What nobody asked for is `unknown()` in
// the end.
class RequestFields {
 public:
  // Borrows `object`. `path` is put before names in messages: "stream_options.".
  explicit RequestFields(const boost::json::object& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  // The value, or null when absent. Marks the name as known.
  const boost::json::value* find(std::string_view name);

  // Each leaves `out` alone when the field is absent or wrong.
  void boolean(std::string_view name, bool& out);
  void number(std::string_view name, double min, double max, float& out);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  void string(std::string_view name, std::string& out);
  const boost::json::array* array(std::string_view name);
  const boost::json::object* object(std::string_view name);

  // Known, and without influence on the answer.
  void accept(std::initializer_list<std::string_view> names);
  // Known, and refused unless absent, false, empty or 0: answering as if it were not there would be
  // wrong.
  void refuse(std::string_view name, std::string_view why);

  void fail(std::string_view name, std::string message, std::string code = {});
  void wrong_kind(std::string_view name, std::string_view expected,
                  const boost::json::value& found);
  void fail(ApiError error);

  bool ok() const { return !error_; }
  const std::optional<ApiError>& error() const { return error_; }
  std::vector<std::string> unknown() const;

 private:
  std::string full(std::string_view name) const { return path_ + std::string(name); }

  const boost::json::object& object_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
  std::optional<ApiError> error_;
};

}  // namespace drystone

#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone::constraint {

namespace json = boost::json;

// A schema document: finds what references mean, and makes one schema of several that hold
// together. Not thread-safe.
class SchemaSource {
 public:
  // Errors: invalid_argument (not JSON), limit (size, depth).
  static Result<SchemaSource> parse(std::string_view text);

  const json::value& root() const { return root_; }

  // "#", "#/$defs/x", ...: the schema there. `path`: where the reference stands, for errors.
  Result<const json::value*> find(std::string_view reference, const std::string& path) const;

  // The same schema without $ref and allOf at its top: what they say is merged into it. Schemas
  // that allow all or nothing become {} or {"enum": []}.
  // Errors: unsupported (keywords that cannot be merged), limit (references without an end).
  Result<json::object> resolve(const json::value& schema, const std::string& path, int depth) const;

  // What satisfies both; both are resolved.
  Result<json::object> merge(json::object a, const json::object& b, const std::string& path) const;

 private:
  json::value root_;
  mutable std::size_t values_copied_ = 0;
};

// Keywords that say nothing about what is valid.
bool is_annotation(std::string_view keyword);
Error schema_error(Errc code, const std::string& path, std::string_view what);

}  // namespace drystone::constraint

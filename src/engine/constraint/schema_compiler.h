#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/constraint/grammar.h"
#include "engine/constraint/json_rules.h"
#include "engine/constraint/schema_source.h"

namespace drystone::constraint {

// Turns a JSON Schema into rules, one for each schema in it. What it writes is always valid; where
// the schema leaves more freedom than docs/formats/constraints.md describes, it is narrower.
class SchemaCompiler {
 public:
  explicit SchemaCompiler(const SchemaSource& source) : source_(source), json_(grammar_) {}

  // Errors: those of compile(), with a JSON pointer. Call once.
  Result<Grammar> compile();

 private:
  struct Pending {
    const json::value* schema;
    std::string path;
    RuleId rule;
  };
  struct Property {
    std::string name;
    RuleId value;
    bool required;
  };

  Result<RuleId> schema_rule(const json::value& schema, const std::string& path, int depth);
  Result<RuleId> reference_rule(std::string_view reference, const std::string& path);
  Result<RuleId> resolved_rule(const json::object& schema, const std::string& path, int depth);
  Result<RuleId> alternatives_rule(const json::object& schema, const std::string& keyword,
                                   const std::string& path, int depth);
  Result<RuleId> constants_rule(const json::object& schema, const std::string& path);
  Result<RuleId> type_rule(std::string_view type, const json::object& schema,
                           const std::string& path, int depth);
  Result<std::vector<std::string>> types_of(const json::object& schema,
                                            const std::string& path) const;
  Result<void> check_keywords(const json::object& schema, const std::string& path) const;

  Result<RuleId> string_rule(const json::object& schema, const std::string& path);
  Result<RuleId> pattern_rule(std::string_view regex, bool whole, const std::string& path);
  Result<RuleId> number_rule(const json::object& schema, bool integer, const std::string& path);
  Result<RuleId> object_rule(const json::object& schema, const std::string& path, int depth);
  Result<std::vector<Property>> properties_of(const json::object& schema, const std::string& path,
                                              int depth);
  RuleId members_rule(const std::vector<Property>& properties, std::optional<RuleId> other_name,
                      RuleId other_value);
  Result<RuleId> array_rule(const json::object& schema, const std::string& path, int depth);
  RuleId items_rule(const std::vector<RuleId>& first, std::optional<RuleId> rest, std::uint32_t min,
                    std::uint32_t max);

  Result<RuleId> new_rule(std::string name, const std::string& path);
  RuleId nothing_rule();  // that no text matches

  const SchemaSource& source_;
  Grammar grammar_;
  JsonRules json_;
  std::map<std::string, RuleId, std::less<>> references_;
  std::deque<Pending> pending_;
};

// A count such as maxItems; nothing where the keyword is absent.
// Errors: invalid_argument, limit (with both figures).
Result<std::optional<std::uint32_t>> count_of(const json::object& schema, std::string_view keyword,
                                              const std::string& path);

}  // namespace drystone::constraint

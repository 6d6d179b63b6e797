#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint/decimal.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

// JSON as rules of a grammar. White space stands after { [ , and before } ] (a space, or a line
// break and up to 20 spaces and tabs) and after a colon (a space): a model cannot go on in it
// for ever. Rules are made when first asked for. Borrows the grammar.
class JsonRules {
 public:
  explicit JsonRules(Grammar& grammar) : grammar_(grammar) {}

  RuleId value();   // any
  RuleId object();  // with any members
  RuleId array();   // of anything
  RuleId string();
  RuleId string(std::uint32_t min_length, std::uint32_t max_length);  // in code points
  RuleId number();
  RuleId integer();
  RuleId literal(std::string_view text);  // "null", ...
  // A string that is none of `names` (UTF-8).
  RuleId string_except(const std::vector<std::string>& names);

  // Each returns where it ends.
  NfaState add_space(Rule& rule, NfaState from);  // may be none
  NfaState add_colon(Rule& rule, NfaState from);  // with its space
  NfaState add_quoted(Rule& rule, NfaState from, std::string_view utf8);

 private:
  void add_string_character(Rule& rule, NfaState from, NfaState to);

  Grammar& grammar_;
  std::optional<RuleId> value_, object_, array_, string_, number_, integer_;
};

}  // namespace drystone::constraint

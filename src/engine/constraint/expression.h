#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/constraint/code_points.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

// What a regular expression or the right side of a grammar rule says.
struct Expression {
  enum class Kind : std::uint8_t {
    sequence,  // of parts; without any: the empty text
    choice,    // of parts
    repeat,    // parts[0], min to max times
    set,       // one character
    rule,      // what another rule describes
  };
  Kind kind = Kind::sequence;
  std::vector<Expression> parts = {};
  CodePointSet set = {};
  std::uint32_t min = 0, max = 0;  // kUnbounded: no maximum
  RuleId rule = 0;

  static Expression character(std::uint32_t code_point) {
    return {.kind = Kind::set, .set = {{code_point, code_point}}};
  }
  static Expression any_of(CodePointSet set) { return {.kind = Kind::set, .set = std::move(set)}; }
  static Expression repeated(Expression part, std::uint32_t min, std::uint32_t max) {
    Expression made = {.kind = Kind::repeat, .min = min, .max = max};
    made.parts.push_back(std::move(part));
    return made;
  }
  static Expression call(RuleId rule) { return {.kind = Kind::rule, .rule = rule}; }
};

// Writes `expression` into rule `id`, from a state on; returns where it ends. Large repetitions
// become rules of their own, with a counter. Errors: limit (edges: both figures).
Result<NfaState> write(Grammar& grammar, RuleId id, const Expression& expression, NfaState from,
                       Encoding encoding);

}  // namespace drystone::constraint

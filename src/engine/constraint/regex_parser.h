#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/constraint/expression.h"

namespace drystone::constraint {

enum class RegexMatch {
  whole,  // the text from its beginning to its end; anchors there say nothing new
  search  // some part of it, as `pattern` in a JSON Schema; anchors tie it to an end
};

// docs/formats/constraints.md says which syntax.
// Errors: invalid_argument (syntax), unsupported (by name), limit; each with the position in bytes.
Result<Expression> parse_regex(std::string_view text, RegexMatch match);

}  // namespace drystone::constraint

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

// A grammar in the notation of llama.cpp; docs/formats/constraints.md says how much of it.
// Errors: invalid_argument (syntax, a rule that is missing or defined twice), unsupported (by
// name), limit; each with the line.
// `others`: rules that the text may use without defining them, as grammars of their own.
Result<Grammar> parse_gbnf(std::string_view text,
                           const std::map<std::string, Grammar, std::less<>>& others = {});

}  // namespace drystone::constraint

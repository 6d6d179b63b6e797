#pragma once

#include "base/result.h"
#include "engine/constraint/constraint_spec.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

// Errors: those of compile().
Result<Grammar> make_grammar(const ConstraintSpec& spec);

}  // namespace drystone::constraint

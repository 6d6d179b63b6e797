#pragma once

#include <string_view>

#include "model/chat_template/ast.h"

namespace drystone::jinja {

// Throws Failure with "line N: ...". Nesting is bounded, so that walking the tree needs bounded
// stack.
Body parse_template(std::string_view source);

}  // namespace drystone::jinja

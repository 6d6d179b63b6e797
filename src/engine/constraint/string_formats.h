#pragma once

#include <string>
#include <string_view>

namespace drystone::constraint {

// A regular expression for a `format` of JSON Schema; empty: not known. What it matches is valid;
// not all that is valid is matched (docs/formats/constraints.md).
std::string_view format_regex(std::string_view format);
std::string format_names();  // "date, time, ..."

}  // namespace drystone::constraint

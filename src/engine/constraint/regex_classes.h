#pragma once

#include <optional>

#include "engine/constraint/code_points.h"

namespace drystone::constraint {

// The set that \d \D \w \W \s \S stand for, as in ECMAScript; nothing for other letters.
std::optional<CodePointSet> character_class(char letter);

// What . does not match.
CodePointSet line_breaks();

// The character that \n \r \t \v \f \0 stand for; 0 for other letters.
char control_character(char letter);

int hex_digit(char c);  // -1: none

}  // namespace drystone::constraint

#include "engine/constraint/regex_classes.h"

namespace drystone::constraint {

std::optional<CodePointSet> character_class(char letter) {
  const CodePointSet digits = {{'0', '9'}};
  const CodePointSet word = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  const CodePointSet space = {
      {'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
      {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  switch (letter) {
    case 'd':
      return digits;
    case 'D':
      return digits.complement();
    case 'w':
      return word;
    case 'W':
      return word.complement();
    case 's':
      return space;
    case 'S':
      return space.complement();
    default:
      return std::nullopt;
  }
}

CodePointSet line_breaks() { return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}; }

char control_character(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case 'f':
      return '\f';
    default:
      return 0;
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace drystone::constraint

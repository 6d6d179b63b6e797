#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drystone::jinja {

enum class TokenKind : std::uint8_t {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  real,
  op,
  end
};

struct Token {
  TokenKind kind;
  std::string text;  // data, names, strings with escapes resolved, operators as written
  std::int64_t integer = 0;
  double real = 0;
  int line = 1;
};

// Cuts a template into tokens, with Jinja's rules of whitespace control (trim_blocks and
// lstrip_blocks on, keep_trailing_newline off). The last token is `end`. Throws Failure.
std::vector<Token> tokenize(std::string_view source);

}  // namespace drystone::jinja

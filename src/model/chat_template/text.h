#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat_template/value.h"

// Strings as Python sees them: sequences of code points. Bytes that are not UTF-8 count as one code
// point each.

namespace drystone::jinja {

std::size_t point_bytes(std::string_view text,
                        std::size_t at);                   // length of the code point at `at`, >= 1
char32_t point_at(std::string_view text, std::size_t at);  // its value; a stray byte is U+FFFD
void append_point(std::string& out, char32_t point);
std::int64_t count_points(Str& string);                    // counts once, then remembers
std::size_t byte_offset(Str& string, std::int64_t point);  // where code point `point` starts

bool is_space(char32_t point);  // Python's str.isspace
enum class Side { left, right, both };
std::string_view strip(std::string_view text, Side side);  // whitespace
std::string_view strip(std::string_view text, Side side, std::string_view points);

// Linear in the haystack, whatever the needle. npos: not there.
std::size_t find(std::string_view haystack, std::string_view needle, std::size_t from = 0);

std::string upper(std::string_view text);  // letters of Latin, Greek and Cyrillic
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);  // of str.title: each run of letters
bool is_letter(char32_t point);

}  // namespace drystone::jinja

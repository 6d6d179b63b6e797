#include "model/chat_template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "model/chat_template/text.h"
#include "model/chat_template/value.h"

namespace drystone::jinja {

namespace {

constexpr std::size_t kSourceBytesMax = 1024 * 1024;

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalize_newlines(source)) {
    if (!text_.empty() && text_.back() == '\n') text_.pop_back();
  }

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    push(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  // Data up to the next opening delimiter, then what that opens.
  void root() {
    std::size_t open = at_;
    while (true) {
      open = text_.find('{', open);
      if (open == std::string::npos || open + 1 >= text_.size()) {
        data(std::string_view(text_).substr(at_));
        at_ = text_.size();
        return;
      }
      const char c = text_[open + 1];
      if (c == '%' || c == '{' || c == '#') break;
      ++open;
    }
    const char kind = text_[open + 1];
    std::size_t inside = open + 2;
    char sign = 0;
    if (inside < text_.size() && (text_[inside] == '-' || text_[inside] == '+'))
      sign = text_[inside++];
    data(stripped(std::string_view(text_).substr(at_, open - at_), sign, kind == '{'));
    advance(inside);
    if (kind == '#') return comment();
    if (kind == '%' && raw_begin()) return raw();
    push(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin, "");
    code(kind == '{');
  }

  std::string_view stripped(std::string_view before, char sign, bool variable) const {
    if (sign == '-') return strip(before, Side::right);
    if (sign == '+' || variable) return before;
    const std::size_t line = before.rfind('\n') + 1;  // npos + 1 is 0
    if (line == 0 && !line_starting_) return before;
    return strip(before.substr(line), Side::both).empty() ? before.substr(0, line) : before;
  }

  void data(std::string_view text) {
    if (!text.empty()) push(TokenKind::data, std::string(text));
  }

  void comment() {
    const std::size_t close = text_.find("#}", at_);
    if (close == std::string::npos) fail_at("a comment has no end: expected '#}'");
    const char sign = close > at_ ? text_[close - 1] : 0;
    advance(close);
    finish(2, sign, true);
  }

  // Steps over a closing delimiter and the whitespace that it eats.
  void finish(std::size_t delimiter, char sign, bool trims_newline) {
    std::size_t end = at_ + delimiter;
    if (sign == '-') {
      end = text_.size() - strip(std::string_view(text_).substr(end), Side::left).size();
    } else if (sign != '+' && trims_newline && end < text_.size() && text_[end] == '\n') {
      ++end;
    }
    line_starting_ = text_[end - 1] == '\n';
    advance(end);
  }

  std::size_t skip_spaces(std::size_t at) const {
    while (at < text_.size() && is_space(point_at(text_, at))) at += point_bytes(text_, at);
    return at;
  }

  bool raw_begin() {
    const std::size_t word = skip_spaces(at_);
    if (text_.compare(word, 3, "raw") != 0) return false;
    std::size_t end = skip_spaces(word + 3);
    const bool minus = end < text_.size() && text_[end] == '-';
    if (text_.compare(end + minus, 2, "%}") != 0) return false;
    advance(end + minus);
    finish(2, minus ? '-' : 0, false);
    return true;
  }

  void raw() {
    for (std::size_t open = text_.find("{%", at_); open != std::string::npos;
         open = text_.find("{%", open + 2)) {
      std::size_t end = open + 2;
      char sign = 0;
      if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) sign = text_[end++];
      end = skip_spaces(end);
      if (text_.compare(end, 6, "endraw") != 0) continue;
      end = skip_spaces(end + 6);
      const char close = end < text_.size() ? text_[end] : '\0';
      if (close == '-' || close == '+') ++end;
      if (text_.compare(end, 2, "%}") != 0) continue;
      data(stripped(std::string_view(text_).substr(at_, open - at_), sign, false));
      advance(end);
      return finish(2, close, true);
    }
    fail_at("a raw block has no end: expected '{% endraw %}'");
  }

  // The inside of {{ }} or {% %}.
  void code(bool variable) {
    const std::string_view close = variable ? "}}" : "%}";
    std::string brackets;
    while (true) {
      const std::size_t next = skip_spaces(at_);
      advance(next);
      if (at_ >= text_.size())
        fail_at(fmt::format("the template ends inside a tag: expected '{}'", close));
      if (brackets.empty()) {
        const bool sign = text_[at_] == '-' || (text_[at_] == '+' && !variable);
        if (text_.compare(at_ + sign, 2, close) == 0) {
          push(variable ? TokenKind::variable_end : TokenKind::block_end, "");
          const char mark = sign ? text_[at_] : 0;
          advance(at_ + sign);
          return finish(2, mark, !variable);
        }
      }
      token(brackets);
    }
  }

  void token(std::string& brackets) {
    const char c = text_[at_];
    if (is_digit(c)) return number();
    if (is_name_start(c)) return name();
    if (c == '\'' || c == '"') return string(c);
    static constexpr std::string_view kPairs[] = {"**", "//", "==", "!=", ">=", "<="};
    for (const auto pair : kPairs) {
      if (text_.compare(at_, 2, pair) == 0)
        return push_advance(TokenKind::op, std::string(pair), at_ + 2);
    }
    static constexpr std::string_view kSingles = "+-*/%~[](){}><=.:|,;";
    if (kSingles.find(c) == std::string_view::npos)
      fail_at(fmt::format("unexpected character '{}'", c));
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) fail_at(fmt::format("unexpected '{}'", c));
      if (brackets.back() != c)
        fail_at(fmt::format("unexpected '{}', expected '{}'", c, brackets.back()));
      brackets.pop_back();
    }
    push_advance(TokenKind::op, std::string(1, c), at_ + 1);
  }

  void name() {
    std::size_t end = at_;
    while (end < text_.size() && (is_name_start(text_[end]) || is_digit(text_[end]))) ++end;
    push_advance(TokenKind::name, text_.substr(at_, end - at_), end);
  }

  std::size_t digits(std::size_t at) const {
    while (at < text_.size() &&
           (is_digit(text_[at]) ||
            (text_[at] == '_' && at + 1 < text_.size() && is_digit(text_[at + 1]))))
      ++at;
    return at;
  }

  void number() {
    const auto digit_at = [&](std::size_t i) { return i < text_.size() && is_digit(text_[i]); };
    std::size_t end = digits(at_);
    bool real = false;
    const bool after_dot =
        !tokens_.empty() && tokens_.back().kind == TokenKind::op && tokens_.back().text == ".";
    if (!after_dot) {
      if (end < text_.size() && text_[end] == '.' && digit_at(end + 1))
        real = true, end = digits(end + 1);
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        const std::size_t sign =
            end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-') ? 2 : 1;
        if (digit_at(end + sign)) real = true, end = digits(end + sign);
      }
    }
    std::string literal = text_.substr(at_, end - at_);
    int base = 10;
    if (!real && literal == "0" && end < text_.size()) {  // 0x1f, 0o17, 0b11
      const char mark = static_cast<char>(text_[end] | 0x20);
      base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
      if (base != 10) {
        const std::size_t first = ++end;
        while (end < text_.size() &&
               (std::isxdigit(static_cast<unsigned char>(text_[end])) || text_[end] == '_'))
          ++end;
        literal = text_.substr(first, end - first);
      }
    }
    std::erase(literal, '_');
    push(real ? TokenKind::real : TokenKind::integer, literal);
    Token& token = tokens_.back();
    const char *first = literal.data(), *last = first + literal.size();
    const auto parsed = real ? std::from_chars(first, last, token.real)
                             : std::from_chars(first, last, token.integer, base);
    if (parsed.ec != std::errc() || parsed.ptr != last)
      fail_at(fmt::format("'{}' is not a number of 64 bits", literal));
    advance(end);
  }

  void string(char quote) {
    std::string value;
    const int line = line_;
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != quote) {
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        i = escape(i + 1, value);
      } else {
        value += text_[i++];
      }
    }
    if (i >= text_.size()) fail_at("a string has no end");
    push_advance(TokenKind::string, std::move(value), i + 1);
    tokens_.back().line = line;
  }

  // The escape whose letter stands at `i`; returns where the text goes on.
  std::size_t escape(std::size_t i, std::string& value) {
    static constexpr std::string_view kLetters = "abfnrtv\\'\"", kBytes = "\a\b\f\n\r\t\v\\'\"";
    const char c = text_[i];
    if (const std::size_t k = kLetters.find(c); k != std::string_view::npos)
      return value += kBytes[k], i + 1;
    if (c == '\n') return i + 1;
    if (c >= '0' && c <= '7') {
      char32_t point = 0;
      std::size_t end = i;
      while (end < i + 3 && end < text_.size() && text_[end] >= '0' && text_[end] <= '7') {
        point = point * 8 + static_cast<char32_t>(text_[end++] - '0');
      }
      return append_point(value, point), end;
    }
    const std::size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n == 0) return value += '\\', value += c, i + 1;
    std::uint32_t point = 0;
    const char* first = text_.data() + std::min(i + 1, text_.size());
    const char* last = text_.data() + std::min(i + 1 + n, text_.size());
    const auto parsed = std::from_chars(first, last, point, 16);
    if (parsed.ec != std::errc() || parsed.ptr != first + n || point > 0x10ffff ||
        (point >= 0xd800 && point < 0xe000)) {
      fail_at(fmt::format("'\\{}' needs {} hexadecimal digits of a code point", c, n));
    }
    return append_point(value, point), i + 1 + n;
  }

  void push(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), 0, 0, line_});
  }
  void push_advance(TokenKind kind, std::string text, std::size_t end) {
    push(kind, std::move(text));
    advance(end);
  }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }
  [[noreturn]] void fail_at(const std::string& message) const {
    fail(fmt::format("line {}: {}", line_, message));
  }

  std::string text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kSourceBytesMax) {
    fail_limit(fmt::format("the template has {} bytes; at most {} are read", source.size(),
                           kSourceBytesMax));
  }
  return Lexer(source).run();
}

}  // namespace drystone::jinja

#include "serve/toolcall/json_scanner.h"

#include <fmt/format.h>

#include <cctype>

namespace drystone::reply {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::size_t JsonScanner::scan(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size() && status_ == Status::open)
    if (take(text[at], out)) ++at;
  return at;
}

void JsonScanner::end() {
  if (status_ == Status::open && brackets_.empty() && number_may_end()) status_ = Status::whole;
}

bool JsonScanner::broken() {
  status_ = Status::broken;
  return false;
}

void JsonScanner::value_done() {
  expect_ = Expect::comma_or_close;
  if (brackets_.empty()) status_ = Status::whole;
}

bool JsonScanner::number_may_end() const {
  return expect_ == Expect::zero || expect_ == Expect::integer || expect_ == Expect::fraction ||
         expect_ == Expect::exponent_digits;
}

bool JsonScanner::take(char c, std::string& out) {
  switch (expect_) {
    case Expect::string:
      take_in_string(c, out);
      return true;
    case Expect::escape:
      return take_escaped(c, out);
    case Expect::hex:
      return take_hex(c, out);
    case Expect::literal:
      if (c != literal_[0]) return broken();
      out += c;
      literal_.remove_prefix(1);
      if (literal_.empty()) value_done();
      return true;
    case Expect::value:
    case Expect::value_or_close:
    case Expect::key_or_close:
    case Expect::key:
    case Expect::colon:
    case Expect::comma_or_close:
      if (is_space(c)) {
        out += c;
        return true;
      }
      return take_value(c, out);
    default:
      return take_number(c, out);
  }
}

bool JsonScanner::open_bracket(char c, std::string& out) {
  if (brackets_.size() >= kDepthMax) return broken();
  out += c;
  brackets_ += c;
  expect_ = c == '{' ? Expect::key_or_close : Expect::value_or_close;
  return true;
}

bool JsonScanner::close_bracket(char c, std::string& out) {
  if (brackets_.empty() || brackets_.back() != (c == '}' ? '{' : '[')) return broken();
  out += c;
  brackets_.pop_back();
  value_done();
  return true;
}

// Outside of strings, literals and numbers; `c` is no white space.
bool JsonScanner::take_value(char c, std::string& out) {
  if (expect_ == Expect::colon) {
    if (c != ':') return broken();
    out += c;
    expect_ = Expect::value;
    return true;
  }
  if (expect_ == Expect::comma_or_close) {
    if (c == '}' || c == ']') return close_bracket(c, out);
    if (c != ',') return broken();
    out += c;
    expect_ = brackets_.back() == '{' ? Expect::key : Expect::value;
    return true;
  }
  if ((expect_ == Expect::key_or_close && c == '}') ||
      (expect_ == Expect::value_or_close && c == ']'))
    return close_bracket(c, out);

  is_key_ = expect_ == Expect::key_or_close || expect_ == Expect::key;
  if (c == '"') {
    out += c;
    expect_ = Expect::string;
    return true;
  }
  if (is_key_) return broken();
  if (c == '{' || c == '[') return open_bracket(c, out);
  if (c == 't' || c == 'f' || c == 'n') {
    out += c;
    literal_ = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
    expect_ = Expect::literal;
    return true;
  }
  if (c != '-' && !is_digit(c)) return broken();
  out += c;
  expect_ = c == '-' ? Expect::minus : c == '0' ? Expect::zero : Expect::integer;
  return true;
}

bool JsonScanner::take_number(char c, std::string& out) {
  const Expect before = expect_;
  const bool whole = before == Expect::zero || before == Expect::integer;
  if (is_digit(c) && before == Expect::minus)
    expect_ = c == '0' ? Expect::zero : Expect::integer;
  else if (is_digit(c) && before == Expect::point)
    expect_ = Expect::fraction;
  else if (is_digit(c) && (before == Expect::exponent || before == Expect::exponent_sign))
    expect_ = Expect::exponent_digits;
  else if (c == '.' && whole)
    expect_ = Expect::point;
  else if ((c == 'e' || c == 'E') && (whole || before == Expect::fraction))
    expect_ = Expect::exponent;
  else if ((c == '+' || c == '-') && before == Expect::exponent)
    expect_ = Expect::exponent_sign;
  else if (!is_digit(c) || before == Expect::zero) {  // not part of the number
    if (!number_may_end()) return broken();
    value_done();
    return false;
  }
  out += c;
  return true;
}

void JsonScanner::take_in_string(char c, std::string& out) {
  if (c == '\\') {
    expect_ = Expect::escape;  // held back until it is known what it escapes
  } else if (c == '"') {
    out += c;
    if (is_key_)
      expect_ = Expect::colon;
    else
      value_done();
  } else if (static_cast<unsigned char>(c) < 0x20) {
    out += c == '\n'   ? "\\n"
           : c == '\t' ? "\\t"
           : c == '\r' ? "\\r"
                       : fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out += c;
  }
}

bool JsonScanner::take_escaped(char c, std::string& out) {
  expect_ = Expect::string;
  if (c == 'u') {
    hex_.clear();
    expect_ = Expect::hex;
    return true;
  }
  const bool known = std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
  out += known ? "\\" : "\\\\";
  if (known) out += c;
  return known;  // else `c` is read again, as a character of the string
}

bool JsonScanner::take_hex(char c, std::string& out) {
  const bool belongs = is_hex(c);
  if (belongs) hex_ += c;
  if (belongs && hex_.size() < 4) return true;
  out += belongs ? "\\u" : "\\\\u";
  out += hex_;
  expect_ = Expect::string;
  return belongs;
}

}  // namespace drystone::reply

#include "engine/constraint/regex_parser.h"

#include <fmt/format.h>

#include <optional>

#include "engine/constraint/limits.h"
#include "engine/constraint/regex_classes.h"

namespace drystone::constraint {

namespace {

class RegexParser {
 public:
  RegexParser(std::string_view text, RegexMatch match) : text_(text), match_(match) {}

  Result<Expression> parse() {
    Expression parsed = TRY(parse_choice(0));
    if (at_ < text_.size()) return fail(Errc::invalid_argument, "a ) without its (");
    return parsed;
  }

 private:
  Error fail(Errc code, std::string_view what) const {
    return Error(code, fmt::format("regular expression, byte {}: {}", at_, what));
  }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  bool at_end() const { return at_ >= text_.size(); }
  bool at_alternative_end() const { return at_end() || text_[at_] == '|' || text_[at_] == ')'; }

  Result<Expression> parse_choice(int depth) {
    if (depth > kDepthMax)
      return fail(Errc::limit, fmt::format("groups nest deeper than {}", kDepthMax));
    Expression choice = {.kind = Expression::Kind::choice};
    do choice.parts.push_back(TRY(parse_alternative(depth)));
    while (take("|"));
    if (choice.parts.size() > 1) return choice;
    Expression only = std::move(choice.parts[0]);
    return only;
  }

  Result<Expression> parse_alternative(int depth) {
    Expression sequence;
    const bool search = match_ == RegexMatch::search && depth == 0;
    bool from_start = false, to_end = false;
    while (depth == 0 && take("^")) from_start = true;
    if (search && !from_start) sequence.parts.push_back(anything());
    while (!at_alternative_end()) {
      if (depth == 0 && text_[at_] == '$') {
        const std::size_t anchor = at_;
        while (take("$")) to_end = true;
        if (at_alternative_end()) break;
        at_ = anchor;
      }
      sequence.parts.push_back(TRY(parse_repeat(depth)));
    }
    if (search && !to_end) sequence.parts.push_back(anything());
    return sequence;
  }

  static Expression anything() {
    return Expression::repeated(Expression::any_of(CodePointSet::all()), 0, kUnbounded);
  }

  Result<Expression> parse_repeat(int depth) {
    Expression part = TRY(parse_one(depth));
    int repeats = 0;
    for (;;) {
      const auto bounds = TRY(parse_quantifier());
      if (!bounds) return part;
      if (++repeats > 1) return fail(Errc::invalid_argument, "a quantifier after a quantifier");
      if (take("+")) return fail(Errc::unsupported, "possessive quantifiers are not supported");
      take("?");  // lazy: the same texts match
      part = Expression::repeated(std::move(part), bounds->first, bounds->last);
    }
  }

  Result<std::optional<CodePointSet::Range>> parse_quantifier() {
    using Bounds = std::optional<CodePointSet::Range>;
    if (take("*")) return Bounds({0, kUnbounded});
    if (take("+")) return Bounds({1, kUnbounded});
    if (take("?")) return Bounds({0, 1});
    if (at_end() || text_[at_] != '{') return Bounds();
    ++at_;
    const auto low = TRY(parse_count());
    if (!low)
      return fail(Errc::invalid_argument,
                  "{ begins a repetition, as in {2,5}; write \\{ for the character");
    Bounds bounds({*low, *low});
    if (take(",")) bounds->last = TRY(parse_count()).value_or(kUnbounded);
    if (!take("}")) return fail(Errc::invalid_argument, "a repetition that does not end with }");
    if (bounds->first > bounds->last)
      return fail(Errc::invalid_argument, fmt::format("a repetition of at least {} and at most {}",
                                                      bounds->first, bounds->last));
    return bounds;
  }

  Result<std::optional<std::uint32_t>> parse_count() {
    if (at_end() || text_[at_] < '0' || text_[at_] > '9') return std::optional<std::uint32_t>();
    std::uint64_t count = 0;
    for (; !at_end() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      count = count * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
      if (count > kRepeatMax)
        return fail(Errc::limit,
                    fmt::format("{} or more repetitions, at most {}", count, kRepeatMax));
    }
    return std::optional(static_cast<std::uint32_t>(count));
  }

  Result<Expression> parse_one(int depth) {
    const char c = text_[at_];
    if (c == '(') return parse_group(depth);
    if (c == '[') return parse_class();
    if (c == '\\') {
      ++at_;
      return Expression::any_of(TRY(parse_escape(false)));
    }
    if (c == '*' || c == '+' || c == '?' || c == '{')
      return fail(Errc::invalid_argument,
                  fmt::format("nothing before {} that could be repeated", c));
    if (c == '^' || c == '$') {
      return fail(Errc::unsupported,
                  fmt::format("{} is understood at the {} of the expression or of one "
                              "of its outermost alternatives only",
                              c, c == '^' ? "beginning" : "end"));
    }
    if (take(".")) return Expression::any_of(line_breaks().complement());
    return Expression::character(TRY(parse_character()));
  }

  Result<Expression> parse_group(int depth) {
    const std::size_t begin = at_++;
    if (take("?")) {
      if (take("=") || take("!") || take("<=") || take("<!")) {
        at_ = begin;
        return fail(Errc::unsupported, "lookahead and lookbehind are not supported");
      }
      if (take("P<") || take("<")) {
        while (!at_end() && text_[at_] != '>') ++at_;
        if (!take(">")) return fail(Errc::invalid_argument, "the name of a group does not end");
      } else if (!take(":")) {
        at_ = begin;
        return fail(Errc::unsupported,
                    "of the groups that begin with (? only (?:...) and (?<name>...) are supported");
      }
    }
    Expression inner = TRY(parse_choice(depth + 1));
    if (!take(")")) return fail(Errc::invalid_argument, "a ( without its )");
    return inner;
  }

  Result<std::uint32_t> parse_character() {
    std::uint32_t code_point = 0;
    if (!read_utf8(text_, at_, code_point)) return fail(Errc::invalid_argument, "not UTF-8");
    return code_point;
  }

  Result<Expression> parse_class() {
    ++at_;
    const bool negated = take("^");
    CodePointSet set;
    while (!take("]")) {
      if (at_end()) return fail(Errc::invalid_argument, "a [ without its ]");
      if (text_.substr(at_).starts_with("[:"))
        return fail(Errc::unsupported, "classes as [:alpha:] are not supported; write a-zA-Z");
      const CodePointSet first = TRY(parse_member());
      const bool is_range =
          text_.substr(at_).starts_with("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!is_range) {
        set.add(first);
        continue;
      }
      ++at_;
      const CodePointSet last = TRY(parse_member());
      const auto single = [](const CodePointSet& s) {
        return s.ranges().size() == 1 && s.ranges()[0].first == s.ranges()[0].last;
      };
      if (!single(first) || !single(last) || first.ranges()[0].first > last.ranges()[0].first)
        return fail(Errc::invalid_argument, "a range whose ends are not two characters in order");
      set.add(first.ranges()[0].first, last.ranges()[0].first);
    }
    return Expression::any_of(negated ? set.complement() : set);
  }

  Result<CodePointSet> parse_member() {
    if (take("\\")) return parse_escape(true);
    if (at_end()) return fail(Errc::invalid_argument, "a [ without its ]");
    const std::uint32_t c = TRY(parse_character());
    return CodePointSet({{c, c}});
  }

  // After the backslash.
  Result<CodePointSet> parse_escape(bool in_class) {
    if (at_end()) return fail(Errc::invalid_argument, "a \\ at the end");
    const char c = text_[at_];
    if (const auto known = character_class(c)) {
      ++at_;
      return *known;
    }
    if (c == 'b' && in_class) return ++at_, CodePointSet({{'\b', '\b'}});
    if (c == 'b' || c == 'B' || c == 'A' || c == 'Z' || c == 'z' || c == 'G')
      return fail(Errc::unsupported, fmt::format("\\{} (a boundary) is not supported", c));
    if ((c >= '1' && c <= '9') || c == 'k')
      return fail(Errc::unsupported, "backreferences are not supported");
    if (c == 'p' || c == 'P')
      return fail(Errc::unsupported, "\\p{...} is not supported; write ranges of characters");
    if (const char control = control_character(c); control != 0 || c == '0') {
      ++at_;
      const auto code = static_cast<std::uint32_t>(control);
      return CodePointSet({{code, code}});
    }
    if (c == 'x') return ++at_, parse_hex(2);
    if (c == 'u') return ++at_, parse_unicode();
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return fail(Errc::unsupported, fmt::format("\\{} is not supported", c));
    const std::uint32_t code = TRY(parse_character());
    return CodePointSet({{code, code}});
  }

  Result<CodePointSet> parse_unicode() {
    if (!take("{")) return parse_hex(4);
    const std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos || end == at_ || end > at_ + 6)
      return fail(Errc::invalid_argument, "\\u{ needs one to six hexadecimal digits and }");
    CodePointSet set = TRY(parse_hex(static_cast<int>(end - at_)));
    ++at_;
    return set;
  }

  Result<CodePointSet> parse_hex(int digits) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const int digit = at_end() ? -1 : hex_digit(text_[at_]);
      if (digit < 0)
        return fail(Errc::invalid_argument,
                    fmt::format("{} hexadecimal digits belong here", digits));
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    if (value > kCodePointMax || (value >= 0xD800 && value <= 0xDFFF))
      return fail(Errc::invalid_argument, fmt::format("U+{:04X} is not a character", value));
    return CodePointSet({{value, value}});
  }

  std::string_view text_;
  RegexMatch match_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Expression> parse_regex(std::string_view text, RegexMatch match) {
  if (text.size() > kSpecBytesMax) {
    return Error(Errc::limit, fmt::format("a regular expression of {} bytes, at most {}",
                                          text.size(), kSpecBytesMax));
  }
  return RegexParser(text, match).parse();
}

}  // namespace drystone::constraint

#include "engine/constraint/gbnf_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/constraint/expression.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/regex_classes.h"

namespace drystone::constraint {

namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Result<Grammar> parse(const std::map<std::string, Grammar, std::less<>>& others) {
    skip(true);
    while (!at_end()) TRY(parse_rule());
    for (const auto& [name, known] : rules_) {
      if (const auto other = others.find(name); !known.defined && other != others.end()) {
        const RuleId root = grammar_.append(other->second);
        grammar_.rule(known.id).add_call(Rule::kStart, root, Rule::kEnd);
      } else if (!known.defined) {
        return Error(
            Errc::invalid_argument,
            fmt::format("grammar, line {}: the rule {} is used but not defined", known.line, name));
      }
    }
    const auto root = rules_.find("root");
    if (root == rules_.end())
      return Error(Errc::invalid_argument,
                   "grammar: the rule root, which the text begins with, is missing");
    grammar_.root = root->second.id;
    return std::move(grammar_);
  }

 private:
  struct Known {
    RuleId id;
    bool defined = false;
    std::size_t line = 0;
  };

  std::size_t line() const {
    return 1 + static_cast<std::size_t>(std::count(
                   text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
  }
  Error fail(Errc code, std::string_view what) const {
    return Error(code, fmt::format("grammar, line {}: {}", line(), what));
  }
  bool at_end() const { return at_ >= text_.size(); }
  bool sees(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  bool take(std::string_view token) {
    if (!sees(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip(bool line_breaks) {
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        while (!at_end() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
        if (at_end()) return;
      }
      const bool blank = text_[at_] == ' ' || text_[at_] == '\t';
      const bool break_here = text_[at_] == '\n' || text_[at_] == '\r';
      if (!blank && !(break_here && line_breaks)) return;
    }
  }
  // An alternative may go on in the next line where that begins with |.
  bool take_bar() {
    const std::size_t before = at_;
    skip(true);
    if (take("|")) return true;
    at_ = before;
    return false;
  }

  std::string_view parse_name() {
    const std::size_t begin = at_;
    while (!at_end() && is_name_character(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<Known*> find(std::string_view name) {
    const auto [at, is_new] = rules_.try_emplace(std::string(name));
    if (is_new) {
      if (grammar_.size() >= kRulesMax)
        return fail(Errc::limit, fmt::format("more than {} rules", kRulesMax));
      at->second = {grammar_.add_rule(fmt::format("the grammar rule {}", name)), false, line()};
    }
    return &at->second;
  }

  Result<void> parse_rule() {
    const std::string_view name = parse_name();
    if (name.empty()) return fail(Errc::invalid_argument, "the name of a rule belongs here");
    Known* known = TRY(find(name));
    if (known->defined)
      return fail(Errc::invalid_argument, fmt::format("the rule {} is defined twice", name));
    known->defined = true;
    skip(false);
    if (!take("::="))
      return fail(Errc::invalid_argument, fmt::format("::= belongs after {}", name));
    skip(true);
    const Expression expression = TRY(parse_choice(0));
    const NfaState end = TRY(write(grammar_, known->id, expression, Rule::kStart, Encoding::utf8));
    grammar_.rule(known->id).add_nothing(end, Rule::kEnd);
    if (!at_end() && text_[at_] != '\n' && text_[at_] != '\r')
      return fail(Errc::invalid_argument,
                  fmt::format("{:?} does not belong here", text_.substr(at_, 1)));
    skip(true);
    return {};
  }

  Result<Expression> parse_choice(int depth) {
    if (depth > kDepthMax)
      return fail(Errc::limit, fmt::format("parentheses nest deeper than {}", kDepthMax));
    Expression choice = {.kind = Expression::Kind::choice};
    for (;;) {
      choice.parts.push_back(TRY(parse_sequence(depth)));
      if (!take_bar()) break;
      skip(true);
    }
    return choice;
  }

  Result<Expression> parse_sequence(int depth) {
    Expression sequence;
    for (skip(depth > 0); !at_end(); skip(depth > 0)) {
      const char c = text_[at_];
      if (c == '|' || c == ')' || c == '\n' || c == '\r') break;
      if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (sequence.parts.empty())
          return fail(Errc::invalid_argument,
                      fmt::format("nothing before {} that could be repeated", c));
        const CodePointSet::Range bounds = TRY(parse_bounds());
        sequence.parts.back() =
            Expression::repeated(std::move(sequence.parts.back()), bounds.first, bounds.last);
      } else {
        sequence.parts.push_back(TRY(parse_symbol(depth)));
      }
    }
    return sequence;
  }

  Result<Expression> parse_symbol(int depth) {
    if (take("\"")) return parse_literal();
    if (take("[")) return parse_class();
    if (take(".")) return Expression::any_of(CodePointSet::all());
    if (take("(")) {
      Expression inner = TRY(parse_choice(depth + 1));
      skip(true);
      if (!take(")")) return fail(Errc::invalid_argument, "a ( without its )");
      return inner;
    }
    if (sees("<") || sees("!"))
      return fail(Errc::unsupported,
                  "tokens by name or number (<...>, !<...>) are not supported; write their text");
    const std::string_view name = parse_name();
    if (name.empty())
      return fail(Errc::invalid_argument,
                  fmt::format("{:?} does not belong here", text_.substr(at_, 1)));
    return Expression::call(TRY(find(name))->id);
  }

  Result<CodePointSet::Range> parse_bounds() {
    if (take("*")) return CodePointSet::Range{0, kUnbounded};
    if (take("+")) return CodePointSet::Range{1, kUnbounded};
    if (take("?")) return CodePointSet::Range{0, 1};
    ++at_;
    skip(false);
    CodePointSet::Range bounds = {TRY(parse_count()), 0};
    bounds.last = bounds.first;
    skip(false);
    if (take(",")) {
      skip(false);
      bounds.last = sees("}") ? kUnbounded : TRY(parse_count());
      skip(false);
    }
    if (!take("}")) return fail(Errc::invalid_argument, "a repetition that does not end with }");
    if (bounds.first > bounds.last)
      return fail(Errc::invalid_argument, fmt::format("a repetition of at least {} and at most {}",
                                                      bounds.first, bounds.last));
    return bounds;
  }

  Result<std::uint32_t> parse_count() {
    std::uint64_t count = 0;
    const std::size_t begin = at_;
    for (; !at_end() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      count = count * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
      if (count > kRepeatMax)
        return fail(Errc::limit,
                    fmt::format("{} or more repetitions, at most {}", count, kRepeatMax));
    }
    if (at_ == begin) return fail(Errc::invalid_argument, "a number of repetitions belongs here");
    return static_cast<std::uint32_t>(count);
  }

  Result<Expression> parse_literal() {
    Expression literal;
    while (!take("\"")) literal.parts.push_back(Expression::character(TRY(parse_character())));
    return literal;
  }

  Result<Expression> parse_class() {
    const bool negated = take("^");
    CodePointSet set;
    while (!take("]")) {
      const std::uint32_t first = TRY(parse_character());
      std::uint32_t last = first;
      if (sees("-") && !sees("-]")) {
        ++at_;
        last = TRY(parse_character());
      }
      if (first > last) return fail(Errc::invalid_argument, "a range whose ends are not in order");
      set.add(first, last);
    }
    return Expression::any_of(negated ? set.complement() : set);
  }

  Result<std::uint32_t> parse_character() {
    if (at_end() || text_[at_] == '\n')
      return fail(Errc::invalid_argument, "the line ends within \"...\" or [...]");
    if (!take("\\")) {
      std::uint32_t c = 0;
      if (!read_utf8(text_, at_, c)) return fail(Errc::invalid_argument, "not UTF-8");
      return c;
    }
    if (take("x")) return parse_hex(2);
    if (take("u")) return parse_hex(4);
    if (take("U")) return parse_hex(8);
    const char c = at_end() ? '\0' : text_[at_];
    if (c == 't' || c == 'r' || c == 'n')
      return ++at_, static_cast<std::uint32_t>(control_character(c));
    if (c == '\\' || c == '"' || c == '[' || c == ']' || c == '-' || c == '^')
      return ++at_, static_cast<std::uint32_t>(c);
    return fail(Errc::invalid_argument, "after \\ one of x u U t r n \\ \" [ ] - ^ belongs");
  }

  Result<std::uint32_t> parse_hex(int digits) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const int digit = at_end() ? -1 : hex_digit(text_[at_]);
      if (digit < 0 || value > kCodePointMax)
        return fail(Errc::invalid_argument,
                    fmt::format("{} hexadecimal digits of a character belong here", digits));
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    if (value > kCodePointMax || (value >= 0xD800 && value <= 0xDFFF))
      return fail(Errc::invalid_argument, fmt::format("U+{:04X} is not a character", value));
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Grammar grammar_;
  std::map<std::string, Known, std::less<>> rules_;
};

}  // namespace

Result<Grammar> parse_gbnf(std::string_view text,
                           const std::map<std::string, Grammar, std::less<>>& others) {
  if (text.size() > kSpecBytesMax) {
    return Error(Errc::limit,
                 fmt::format("a grammar of {} bytes, at most {}", text.size(), kSpecBytesMax));
  }
  return GbnfParser(text).parse(others);
}

}  // namespace drystone::constraint

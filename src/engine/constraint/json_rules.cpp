#include "engine/constraint/json_rules.h"

#include <map>

namespace drystone::constraint {

namespace {

constexpr int kIndentMax = 20;
constexpr int kExponentDigitsMax = 2;  // so that every number is finite

const CodePointSet& bare_characters() {
  static const CodePointSet kBare =
      CodePointSet::all().without({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  return kBare;
}

void add_hex(Rule& rule, NfaState from, NfaState to) {
  rule.add_bytes(from, '0', '9', to);
  rule.add_bytes(from, 'a', 'f', to);
  rule.add_bytes(from, 'A', 'F', to);
}

// 1 to `most` digits.
void add_digits(Rule& rule, NfaState from, std::size_t most, NfaState to) {
  for (std::size_t i = 0; i < most; ++i) {
    const NfaState next = rule.add_state();
    rule.add_bytes(from, '0', '9', next);
    rule.add_nothing(next, to);
    from = next;
  }
}

}  // namespace

NfaState JsonRules::add_space(Rule& rule, NfaState from) {
  const NfaState end = rule.add_state();
  rule.add_nothing(from, end);
  rule.add_bytes(from, ' ', ' ', end);
  NfaState line = rule.add_state();
  rule.add_bytes(from, '\n', '\n', line);
  for (int i = 0; i < kIndentMax; ++i) {
    const NfaState next = rule.add_state();
    rule.add_nothing(line, end);
    rule.add_bytes(line, ' ', ' ', next);
    rule.add_bytes(line, '\t', '\t', next);
    line = next;
  }
  rule.add_nothing(line, end);
  return end;
}

NfaState JsonRules::add_colon(Rule& rule, NfaState from) {
  const NfaState colon = rule.add_literal(from, ":"), end = rule.add_state();
  rule.add_nothing(colon, end);
  rule.add_bytes(colon, ' ', ' ', end);
  return end;
}

NfaState JsonRules::add_quoted(Rule& rule, NfaState from, std::string_view utf8) {
  from = rule.add_literal(from, "\"");
  return rule.add_literal(rule.add_text(from, utf8, Encoding::json_string), "\"");
}

// One code point: bare, or escaped; a pair of escaped surrogates is one.
void JsonRules::add_string_character(Rule& rule, NfaState from, NfaState to) {
  rule.add_set(from, bare_characters(), Encoding::utf8, to);
  const NfaState escape = rule.add_literal(from, "\\");
  for (const char c : {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'})
    rule.add_bytes(escape, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), to);
  const NfaState u = rule.add_literal(escape, "u");
  const NfaState one = rule.add_state(), two = rule.add_state(), three = rule.add_state();
  const NfaState d = rule.add_state();
  for (const auto& [first, last] : {std::pair('0', '9'), std::pair('a', 'c'), std::pair('e', 'f'),
                                    std::pair('A', 'C'), std::pair('E', 'F')})
    rule.add_bytes(u, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last), one);
  rule.add_bytes(u, 'd', 'd', d);
  rule.add_bytes(u, 'D', 'D', d);
  add_hex(rule, one, two);
  rule.add_bytes(d, '0', '7', two);
  add_hex(rule, two, three);
  add_hex(rule, three, to);
  // D800-DBFF, then \uDC00-DFFF.
  const NfaState high_two = rule.add_state(), high_three = rule.add_state();
  const NfaState high = rule.add_state();
  rule.add_bytes(d, '8', '9', high_two);
  rule.add_bytes(d, 'a', 'b', high_two);
  rule.add_bytes(d, 'A', 'B', high_two);
  add_hex(rule, high_two, high_three);
  add_hex(rule, high_three, high);
  const NfaState low_u = rule.add_literal(high, "\\u");
  const NfaState low_d = rule.add_state(), low_c = rule.add_state(), low_three = rule.add_state();
  rule.add_bytes(low_u, 'd', 'd', low_d);
  rule.add_bytes(low_u, 'D', 'D', low_d);
  rule.add_bytes(low_d, 'c', 'f', low_c);
  rule.add_bytes(low_d, 'C', 'F', low_c);
  add_hex(rule, low_c, low_three);
  add_hex(rule, low_three, to);
}

RuleId JsonRules::string() {
  if (string_) return *string_;
  string_ = grammar_.add_rule("a JSON string");
  Rule& rule = grammar_.rule(*string_);
  const NfaState inside = rule.add_literal(Rule::kStart, "\"");
  add_string_character(rule, inside, inside);
  rule.add_bytes(inside, '"', '"', Rule::kEnd);
  return *string_;
}

RuleId JsonRules::string(std::uint32_t min_length, std::uint32_t max_length) {
  if (min_length == 0 && max_length == kUnbounded) return string();
  const RuleId id = grammar_.add_rule("a JSON string with a bounded length");
  Rule& rule = grammar_.rule(id);
  const NfaState begin = rule.add_literal(Rule::kStart, "\"");
  const NfaState exit = rule.add_state();
  rule.add_bytes(exit, '"', '"', Rule::kEnd);
  if (max_length == 0) {
    rule.add_nothing(begin, exit);
    return id;
  }
  const NfaState again = rule.add_state(), body = rule.add_state();
  add_string_character(rule, body, again);
  rule.counter = {begin, again, body, exit, min_length, max_length};
  return id;
}

RuleId JsonRules::number() {
  if (number_) return *number_;
  number_ = grammar_.add_rule("a JSON number");
  Rule& rule = grammar_.rule(*number_);
  const NfaState whole = rule.add_state(), scaled = rule.add_state();
  add_decimals(rule, Rule::kStart, whole, std::nullopt, std::nullopt, true);
  rule.add_nothing(whole, Rule::kEnd);
  rule.add_bytes(whole, 'e', 'e', scaled);
  rule.add_bytes(whole, 'E', 'E', scaled);
  const NfaState exponent = rule.add_state();
  rule.add_nothing(scaled, exponent);
  rule.add_bytes(scaled, '+', '+', exponent);
  rule.add_bytes(scaled, '-', '-', exponent);
  add_digits(rule, exponent, kExponentDigitsMax, Rule::kEnd);
  return *number_;
}

RuleId JsonRules::integer() {
  if (integer_) return *integer_;
  integer_ = grammar_.add_rule("a JSON integer");
  add_decimals(grammar_.rule(*integer_), Rule::kStart, Rule::kEnd, std::nullopt, std::nullopt,
               false);
  return *integer_;
}

RuleId JsonRules::literal(std::string_view text) {
  const RuleId id = grammar_.add_rule("a JSON literal");
  Rule& rule = grammar_.rule(id);
  rule.add_nothing(rule.add_literal(Rule::kStart, text), Rule::kEnd);
  return id;
}

RuleId JsonRules::value() {
  if (value_) return *value_;
  value_ = grammar_.add_rule("any JSON value");
  for (const RuleId id :
       {object(), array(), string(), number(), literal("true"), literal("false"), literal("null")})
    grammar_.rule(*value_).add_call(Rule::kStart, id, Rule::kEnd);
  return *value_;
}

RuleId JsonRules::object() {
  if (object_) return *object_;
  object_ = grammar_.add_rule("a JSON object");
  const RuleId key = string(), member = value();
  Rule& rule = grammar_.rule(*object_);
  const NfaState first = add_space(rule, rule.add_literal(Rule::kStart, "{"));
  const NfaState named = rule.add_state(), more = rule.add_state();
  rule.add_bytes(first, '}', '}', Rule::kEnd);
  rule.add_call(first, key, named);
  rule.add_call(add_colon(rule, named), member, more);
  rule.add_call(add_space(rule, rule.add_literal(more, ",")), key, named);
  rule.add_bytes(add_space(rule, more), '}', '}', Rule::kEnd);
  return *object_;
}

RuleId JsonRules::array() {
  if (array_) return *array_;
  array_ = grammar_.add_rule("a JSON array");
  const RuleId item = value();
  Rule& rule = grammar_.rule(*array_);
  const NfaState first = add_space(rule, rule.add_literal(Rule::kStart, "["));
  const NfaState more = rule.add_state();
  rule.add_bytes(first, ']', ']', Rule::kEnd);
  rule.add_call(first, item, more);
  rule.add_call(add_space(rule, rule.add_literal(more, ",")), item, more);
  rule.add_bytes(add_space(rule, more), ']', ']', Rule::kEnd);
  return *array_;
}

// A trie of the names; whoever leaves it, or ends within it where no name does, is free. Only the
// shortest escapes are allowed, so that no name can be written in another way.
RuleId JsonRules::string_except(const std::vector<std::string>& names) {
  const RuleId id = grammar_.add_rule("the name of another property");
  Rule& rule = grammar_.rule(id);
  struct TrieNode {
    std::map<std::uint32_t, std::size_t> children;
    bool is_name = false;
  };
  std::vector<TrieNode> trie(1);
  for (const std::string& name : names) {
    std::size_t node = 0;
    for (std::size_t at = 0; at < name.size();) {
      std::uint32_t c = 0;
      if (!read_utf8(name, at, c)) break;  // JSON text is UTF-8: cannot happen
      const auto [child, is_new] = trie[node].children.try_emplace(c, trie.size());
      node = child->second;
      if (is_new) trie.emplace_back();
    }
    trie[node].is_name = true;
  }
  const NfaState open = rule.add_literal(Rule::kStart, "\""), free = rule.add_state();
  rule.add_set(free, CodePointSet::all(), Encoding::json_string, free);
  rule.add_bytes(free, '"', '"', Rule::kEnd);
  std::vector<NfaState> states = {open};
  for (std::size_t i = 1; i < trie.size(); ++i) states.push_back(rule.add_state());
  for (std::size_t i = 0; i < trie.size(); ++i) {
    CodePointSet others = CodePointSet::all();
    for (const auto& [c, child] : trie[i].children) {
      rule.add_set(states[i], {{c, c}}, Encoding::json_string, states[child]);
      others = others.without({{c, c}});
    }
    rule.add_set(states[i], others, Encoding::json_string, free);
    if (!trie[i].is_name) rule.add_bytes(states[i], '"', '"', Rule::kEnd);
  }
  return id;
}

}  // namespace drystone::constraint

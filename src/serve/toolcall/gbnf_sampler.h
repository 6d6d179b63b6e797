#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"

// For the tests: writes random texts that a grammar allows. Knows what tool grammars use of GBNF:
// literals, classes, groups, alternatives, ? * {m,n}, and names of rules.
namespace drystone {

class GbnfSampler {
 public:
  // `given`: what stands for rules that the grammar does not have.
  GbnfSampler(std::string_view gbnf, std::map<std::string, std::string> given, std::uint64_t seed)
      : given_(std::move(given)), random_(seed) {
    while (!gbnf.empty()) {
      const std::string_view line = gbnf.substr(0, gbnf.find('\n'));
      const std::size_t sign = line.find(" ::= ");
      EXPECT_NE(sign, line.npos) << line;
      if (sign != line.npos) rules_[std::string(line.substr(0, sign))] = line.substr(sign + 5);
      gbnf.remove_prefix(std::min(line.size() + 1, gbnf.size()));
    }
  }

  std::string sample(const std::string& rule = "root") {
    if (const auto text = given_.find(rule); text != given_.end()) return text->second;
    EXPECT_TRUE(rules_.contains(rule)) << "no rule " << rule;
    std::string_view rest = rules_[rule];
    const std::string text = alternatives(rest, true);
    EXPECT_TRUE(rest.empty()) << rest;
    return text;
  }

 private:
  // Each reads its part from `rest`; what is not `wanted` is read without being written.
  std::string alternatives(std::string_view& rest, bool wanted) {
    std::vector<std::string_view> starts = {rest};
    while (true) {  // find them first, then write one
      sequence(rest, false);
      if (!rest.starts_with("|")) break;
      rest.remove_prefix(1);
      starts.push_back(rest);
    }
    if (!wanted) return "";
    std::string_view one = starts[random_.below(starts.size())];
    return sequence(one, true);
  }

  std::string sequence(std::string_view& rest, bool wanted) {
    std::string text;
    while (true) {
      while (rest.starts_with(" ")) rest.remove_prefix(1);
      if (rest.empty() || rest[0] == '|' || rest[0] == ')') return text;
      text += repeated(rest, wanted);
    }
  }

  std::string repeated(std::string_view& rest, bool wanted) {
    const std::string_view begin = rest;
    item(rest, false);
    std::uint64_t low = 1, high = 1;
    if (rest.starts_with("?") || rest.starts_with("*")) {
      low = 0;
      high = rest[0] == '?' ? 1 : 8;
      rest.remove_prefix(1);
    } else if (rest.starts_with("{")) {
      const std::string inside(rest.substr(1, rest.find('}') - 1));
      low = std::stoul(inside);
      high =
          inside.find(',') == inside.npos ? low : std::stoul(inside.substr(inside.find(',') + 1));
      rest.remove_prefix(inside.size() + 2);
    }
    std::string text;
    for (std::uint64_t i = wanted ? low + random_.below(high - low + 1) : 0; i > 0; --i) {
      std::string_view again = begin;
      text += item(again, true);
    }
    return text;
  }

  static char escaped(std::string_view& rest) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c != '\\') return c;
    const char letter = rest[0];
    rest.remove_prefix(1);
    return letter == 'n' ? '\n' : letter;
  }

  std::string item(std::string_view& rest, bool wanted) {
    std::string text;
    const char first = rest[0];
    if (first == '"') {
      rest.remove_prefix(1);
      while (rest[0] != '"') text += escaped(rest);
      rest.remove_prefix(1);
    } else if (first == '[') {
      rest.remove_prefix(1);
      text = one_of_class(rest);
    } else if (first == '(') {
      rest.remove_prefix(1);
      text = alternatives(rest, wanted);
      EXPECT_TRUE(rest.starts_with(")")) << rest;
      rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
    } else {
      std::string name;
      while (!rest.empty() &&
             (std::isalnum(static_cast<unsigned char>(rest[0])) || rest[0] == '-')) {
        name += rest[0];
        rest.remove_prefix(1);
      }
      EXPECT_FALSE(name.empty()) << "cannot read " << rest;
      if (name.empty()) rest = {};
      if (wanted && !name.empty()) text = sample(name);
    }
    return text;
  }

  std::string one_of_class(std::string_view& rest) {
    const bool negated = rest[0] == '^';
    if (negated) rest.remove_prefix(1);
    std::string chars;
    while (rest[0] != ']') {
      const char from = escaped(rest);
      char to = from;
      if (rest[0] == '-') {
        rest.remove_prefix(1);
        to = escaped(rest);
      }
      for (int c = from; c <= to; ++c) chars += static_cast<char>(c);
    }
    rest.remove_prefix(1);
    if (!negated) return {chars[random_.below(chars.size())]};
    while (true) {
      static constexpr std::string_view kTried = "ab </>|\n\"\\{}[]=:_pte";
      const char c = kTried[random_.below(kTried.size())];
      if (chars.find(c) == chars.npos) return random_.below(9) == 0 ? "é" : std::string{c};
    }
  }

  std::map<std::string, std::string> given_;
  std::map<std::string, std::string_view> rules_;
  Rng random_;
};

}  // namespace drystone

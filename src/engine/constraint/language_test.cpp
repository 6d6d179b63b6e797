// Regular expressions and grammars against matchers that know nothing of automata.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <functional>
#include <map>
#include <set>

#include "engine/constraint/random_model.h"

namespace drystone {
namespace {

using Kind = ConstraintSpec::Kind;

class Pcre {
 public:
  explicit Pcre(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, nullptr);
    data_ = pcre2_match_data_create(1, nullptr);
  }
  Pcre(const Pcre&) = delete;
  Pcre& operator=(const Pcre&) = delete;
  ~Pcre() {
    pcre2_match_data_free(data_);
    pcre2_code_free(code_);
  }
  bool valid() const { return code_ != nullptr; }
  bool found_in(const std::string& text) const {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data_,
                       nullptr) >= 0;
  }

 private:
  pcre2_code* code_;
  pcre2_match_data* data_;
};

// All strings of `letters`, up to a length.
void for_all_strings(std::string_view letters, std::size_t length,
                     const std::function<void(const std::string&)>& visit) {
  std::vector<std::string> last = {""};
  for (std::size_t n = 0; n <= length; ++n) {
    std::vector<std::string> next;
    for (const std::string& text : last) {
      visit(text);
      for (const char c : letters) next.push_back(text + c);
    }
    last = std::move(next);
  }
}

std::string random_regex(Rng& rng, int depth) {
  static const std::vector<std::string> kAtoms = {"a",    "b",   "c",     ".",   "[ab]",
                                                  "[^a]", "\\w", "\\x61", "(?:)"};
  static const std::vector<std::string> kQuantifiers = {"*",     "+",    "?",  "{2}",
                                                        "{1,3}", "{2,}", "*?", "{0,2}"};
  std::string text;
  for (std::uint64_t i = 0, n = 1 + rng.below(3); i < n; ++i) {
    const bool group = depth > 0 && rng.below(3) == 0;
    text += group ? (rng.below(2) ? "(" : "(?:") + random_regex(rng, depth - 1) + ")"
                  : kAtoms[rng.below(kAtoms.size())];
    if (rng.below(3) == 0) text += kQuantifiers[rng.below(kQuantifiers.size())];
  }
  if (rng.below(4) == 0) text += "|" + (depth > 0 ? random_regex(rng, depth - 1) : "b");
  return text;
}

// A regular expression of ours must mean what everyone else's means.
TEST(Regex, MatchesTheSameStringsAsPcre2) {
  Rng rng(11);
  const auto vocabulary = toy_vocabulary();
  for (int i = 0; i < 150; ++i) {
    const std::string regex = random_regex(rng, 2);
    const Pcre pcre("^(?:" + regex + ")$");
    ASSERT_TRUE(pcre.valid()) << regex;
    const auto constraint = compile_or_fail({Kind::regex, regex, {}}, vocabulary);
    ASSERT_TRUE(constraint);
    for_all_strings("abc", 5, [&](const std::string& text) {
      ASSERT_EQ(matches(constraint, text), pcre.found_in(text)) << regex << " on '" << text << "'";
    });
  }
}

// JSON Schema's patterns are searched for; anchors tie them down. Inside of a JSON string.
TEST(Regex, PatternsAreSearchedForAsJsonSchemaSays) {
  for (const char* pattern : {"a", "^a", "a$", "^a$", "^a|b$", "^(a|bc)*$", "ab|^c", "^$", ""}) {
    const Pcre pcre(pattern);
    const auto constraint =
        schema(fmt::format(R"({{"type": "string", "pattern": "{}"}})", pattern));
    ASSERT_TRUE(constraint);
    for_all_strings("abc", 4, [&](const std::string& text) {
      ASSERT_EQ(matches(constraint, '"' + text + '"'), pcre.found_in(text))
          << pattern << " on " << text;
    });
  }
  const auto quoted = schema(R"({"type": "string", "pattern": "^[\"\\\\\n]{2}é$"})");
  EXPECT_TRUE(matches(quoted, R"("\"\\é")"));
  EXPECT_TRUE(matches(quoted, R"("\n\né")"));
  EXPECT_FALSE(matches(quoted, R"(""\é")"));
}

// Escapes and classes beyond ASCII decide which bytes may follow within a character.
TEST(Regex, ClassesAreSetsOfCharactersNotOfBytes) {
  const auto vocabulary = toy_vocabulary();
  const auto is_match = [&](const char* regex, const char* text) {
    return matches(compile_or_fail({Kind::regex, regex, {}}, vocabulary), text);
  };
  EXPECT_TRUE(is_match("[а-я]+", "привет"));
  EXPECT_FALSE(is_match("[а-я]+", "Привет"));
  EXPECT_TRUE(is_match("[^a]", "😀"));
  EXPECT_FALSE(is_match("[^😀]", "😀"));
  EXPECT_TRUE(is_match(".{3}", "a€😀"));
  EXPECT_FALSE(is_match(".", "\xC3"));
  EXPECT_FALSE(is_match(".", "\xED\xA0\x80"));  // a surrogate is no character
  EXPECT_TRUE(is_match("\\u20ac\\u{1F600}\\x41", "€😀A"));
  EXPECT_TRUE(is_match("[\\d-]+", "1-2"));
  EXPECT_TRUE(is_match("\\D\\S\\W", "aé "));
}

// What cannot be kept must be said, by name and place.
TEST(Regex, UnsupportedSyntaxIsNamed) {
  const std::pair<const char*, const char*> cases[] = {{"a(?=b)", "byte 1: lookahead"},
                                                       {"(a)\\1", "backreferences"},
                                                       {"\\bword", "boundary"},
                                                       {"(?i)a", "(?:...)"},
                                                       {"a++", "possessive"},
                                                       {"\\p{L}", "\\p{...}"},
                                                       {"a(b", "without its )"},
                                                       {"a)b", "without its ("},
                                                       {"[z-a]", "in order"},
                                                       {"a{3,1}", "at least 3"},
                                                       {"*a", "nothing before *"},
                                                       {"(^a)", "^ is understood"},
                                                       {"a**", "after a quantifier"},
                                                       {"[[:alpha:]]", "[:alpha:]"},
                                                       {"\\u{110000}", "not a character"}};
  for (const auto& [regex, expected] : cases) {
    const std::string error = error_of(Kind::regex, regex);
    EXPECT_NE(error.find(expected), std::string::npos) << regex << ": " << error;
  }
}

// A grammar as the test sees it: positions reachable by each expression, to a fixed point.
struct Symbol {
  int rule = -1;  // or a text
  std::string text;
  char repeat = 0;
};
using Rules = std::vector<std::vector<std::vector<Symbol>>>;

class Recognizer {
 public:
  Recognizer(const Rules& rules, const std::string& text) : rules_(rules), text_(text) {
    do {
      changed_ = false;
      for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
        for (std::size_t at = 0; at <= text_.size(); ++at) {
          for (const auto& sequence : rules_[rule]) {
            std::set<std::size_t> ends = {at};
            for (const Symbol& symbol : sequence) ends = after(symbol, ends);
            for (const std::size_t end : ends) changed_ |= ends_[{rule, at}].insert(end).second;
          }
        }
      }
    } while (changed_);
  }
  bool whole() { return ends_[{0, 0}].contains(text_.size()); }

 private:
  std::set<std::size_t> once(const Symbol& symbol, const std::set<std::size_t>& from) {
    std::set<std::size_t> to;
    for (const std::size_t at : from) {
      if (symbol.rule >= 0) {
        to.merge(std::set(ends_[{static_cast<std::size_t>(symbol.rule), at}]));
      } else if (text_.substr(at).starts_with(symbol.text)) {
        to.insert(at + symbol.text.size());
      }
    }
    return to;
  }
  std::set<std::size_t> after(const Symbol& symbol, const std::set<std::size_t>& from) {
    std::set<std::size_t> all = once(symbol, from);
    if (symbol.repeat == 0) return all;
    if (symbol.repeat != '?')
      for (std::size_t i = 0; i <= text_.size(); ++i) all.merge(once(symbol, all));
    if (symbol.repeat != '+') all.insert(from.begin(), from.end());
    return all;
  }
  const Rules& rules_;
  const std::string& text_;
  std::map<std::pair<std::size_t, std::size_t>, std::set<std::size_t>> ends_;
  bool changed_ = false;
};

Rules random_rules(Rng& rng) {
  static const std::string kRepeats = {0, 0, 0, '*', '+', '?'};
  Rules rules(1 + rng.below(4));
  for (auto& alternatives : rules) {
    alternatives.resize(1 + rng.below(3));
    for (auto& sequence : alternatives) {
      sequence.resize(rng.below(4));
      for (Symbol& symbol : sequence) {
        static const std::vector<std::string> kTexts = {"a", "b", "ab", "ba", ""};
        if (rng.below(2)) {
          symbol.rule = static_cast<int>(rng.below(rules.size()));
        } else {
          symbol.text = kTexts[rng.below(kTexts.size())];
        }
        symbol.repeat = kRepeats[rng.below(kRepeats.size())];
      }
    }
  }
  return rules;
}

std::string to_gbnf(const Rules& rules) {
  std::string text;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    text += i == 0 ? "root ::=" : fmt::format("\nr{} ::=", i);
    for (std::size_t k = 0; k < rules[i].size(); ++k) {
      if (k > 0) text += " |";
      if (rules[i][k].empty()) text += " \"\"";
      for (const Symbol& symbol : rules[i][k]) {
        text += symbol.rule == 0  ? " root"
                : symbol.rule > 0 ? fmt::format(" r{}", symbol.rule)
                                  : " \"" + symbol.text + "\"";
        if (symbol.repeat) text += symbol.repeat;
      }
    }
  }
  return text;
}

// Recursion to the left, to the right and around empty rules: whatever a user may write.
TEST(Gbnf, MatchesWhatTheGrammarDerives) {
  Rng rng(21);
  const auto vocabulary = toy_vocabulary();
  int usable = 0;
  for (int i = 0; i < 400; ++i) {
    const Rules rules = random_rules(rng);
    const std::string text = to_gbnf(rules);
    const auto compiled = compile({Kind::gbnf, text, {}}, vocabulary);
    bool any = false;
    for_all_strings("ab", 5, [&](const std::string& word) {
      const bool derived = Recognizer(rules, word).whole();
      any = any || derived;
      if (!compiled) return;
      ASSERT_EQ(matches(*compiled, word), derived) << text << "\non '" << word << "'";
    });
    if (HasFatalFailure()) return;
    if (compiled) {
      ++usable;
    } else {
      EXPECT_FALSE(any) << text << "\n" << compiled.error().message();
    }
  }
  EXPECT_GT(usable, 200);
}

// Counted repetitions are counters, not copies: the edges of the count must hold.
TEST(Gbnf, LargeRepetitionsAreCountedExactly) {
  const auto vocabulary = toy_vocabulary();
  const auto counted = compile_or_fail(
      {Kind::gbnf,
       "root ::= \"[\" (\"ab\" | \"c\"){700,1000} \"]\" x{2}\nx ::= (\"y\" \"z\"?){600,} \";\"",
       {}},
      vocabulary);
  const auto is_match = [&](int first, int second, int third) {
    std::string text = "[";
    for (int i = 0; i < first; ++i) text += i % 3 ? "ab" : "c";
    text += "]";
    for (int i = 0; i < second; ++i) text += i % 2 ? "y" : "yz";
    text += ";" + std::string(static_cast<std::size_t>(third), 'y') + ";";
    return matches(counted, text);
  };
  EXPECT_TRUE(is_match(700, 600, 600));
  EXPECT_TRUE(is_match(1000, 2500, 601));
  EXPECT_FALSE(is_match(699, 600, 600));
  EXPECT_FALSE(is_match(1001, 600, 600));
  EXPECT_FALSE(is_match(800, 599, 600));
  EXPECT_FALSE(is_match(800, 600, 599));
}

// The grammars that people have are written with llama.cpp's documentation beside them.
TEST(Gbnf, ReadsTheNotationOfLlamaCpp) {
  const auto vocabulary = toy_vocabulary();
  const auto chess = compile_or_fail(
      {Kind::gbnf,
       "# moves\nroot ::= (\n  # first\n  \"1. \" move \" \" move \"\\n\"\n\n"
       "  ([1-9] [0-9]? \". \" move \" \" move \"\\n\")+\n)\n"
       "move ::= (pawn | nonpawn | castle) [+#]?\n"
       "nonpawn ::= [NBKQR] [a-h]? [1-8]? \"x\"? [a-h] [1-8]\n"
       "pawn ::= ([a-h] \"x\")? [a-h] [1-8] (\"=\" [NBKQR])?\ncastle ::= \"O-O\" \"-O\"?\n",
       {}},
      vocabulary);
  ASSERT_TRUE(chess);
  EXPECT_TRUE(matches(chess, "1. e4 e5\n2. Nf3 Nc6\n3. O-O exd5+\n"));
  EXPECT_FALSE(matches(chess, "1. e4 e9\n"));
  const auto escapes =
      compile_or_fail({Kind::gbnf,
                       "root ::= \"\\x41\\u20AC\\U0001F600\\\"\" [^\\]\\n\\x30-9]\n  | . \"b\"{2,}",
                       {}},
                      vocabulary);
  ASSERT_TRUE(escapes);
  EXPECT_TRUE(matches(escapes, "A€😀\"x"));
  EXPECT_FALSE(matches(escapes, "A€😀\"5"));
  EXPECT_TRUE(matches(escapes, "\nbbb"));
  const std::pair<const char*, const char*> errors[] = {
      {"start ::= \"a\"", "the rule root"},
      {"root ::= a b\na ::= \"x\"", "b is used but not defined"},
      {"root ::= \"a", "line 1: the line ends"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2: the rule root is defined twice"},
      {"root ::= <think>", "not supported"},
      {"root ::= (\"a\"", "without its )"},
      {"root = \"a\"", "::= belongs"},
      {"root ::= root \"a\"", "no text can satisfy"},
      {"root ::= \"a\"{5,2}", "at least 5"}};
  for (const auto& [text, expected] : errors) {
    const std::string error = error_of(Kind::gbnf, text);
    EXPECT_NE(error.find(expected), std::string::npos) << text << ": " << error;
  }
}

}  // namespace
}  // namespace drystone

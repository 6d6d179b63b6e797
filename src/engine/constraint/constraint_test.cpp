#include "engine/constraint/constraint.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/constraint/limits.h"
#include "engine/constraint/random_model.h"

namespace drystone {
namespace {

using Kind = ConstraintSpec::Kind;

// An answer may stop where it is whole, and nowhere else.
TEST(Constraint, EndTokensAreAllowedExactlyAtACompleteMatch) {
  const auto vocabulary = toy_vocabulary();
  const TokenId end = vocabulary->end_tokens()[0];
  const auto constraint = compile_or_fail({Kind::choice, "", {"no", "none"}}, vocabulary);
  ConstraintState state(constraint);

  EXPECT_FALSE(state.may_end());
  EXPECT_FALSE(state.accept(end));
  EXPECT_TRUE(state.accept('n'));
  EXPECT_TRUE(state.accept('o'));
  EXPECT_TRUE(state.may_end());
  EXPECT_FALSE(state.must_end());
  EXPECT_EQ(allowed_tokens(state, *vocabulary), (std::vector<TokenId>{'n', end}));
  EXPECT_TRUE(state.accept('n'));
  EXPECT_TRUE(state.accept('e'));
  EXPECT_TRUE(state.must_end());
  EXPECT_EQ(allowed_tokens(state, *vocabulary), (std::vector<TokenId>{end}));
  EXPECT_TRUE(state.accept(end));
  EXPECT_TRUE(state.must_end());
  EXPECT_TRUE(allowed_tokens(state, *vocabulary).empty());
}

// How a tool call is forced: the model's own frame around arguments of a schema.
TEST(Constraint, GrammarsTakeRulesFromSchemas) {
  const auto vocabulary = toy_vocabulary();
  ConstraintSpec spec{Kind::gbnf, "root ::= \"<call>\" arguments \"</call>\"", {}};
  EXPECT_TRUE(compile(spec, vocabulary).is(Errc::invalid_argument));
  spec.schemas = {{"arguments",
                   R"({"type":"object","properties":{"n":{"enum":[1,20]}},"required":["n"],
                       "additionalProperties":false})"}};
  const auto constraint = compile_or_fail(spec, vocabulary);
  for (const std::string_view text : {R"(<call>{"n":1}</call>)", R"(<call>{"n":20}</call>)"}) {
    ConstraintState state(constraint);
    for (const char c : text) EXPECT_TRUE(state.accept(c)) << text << " at " << c;
    EXPECT_TRUE(state.must_end());
  }
  ConstraintState state(constraint);
  for (const char c : std::string_view("<call>{\"n\":")) EXPECT_TRUE(state.accept(c));
  EXPECT_FALSE(state.accept('3'));
  spec.schemas[0].second = R"({"type":"nonsense"})";
  const auto refused = compile(spec, vocabulary);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("arguments"), std::string::npos);
}

// Whoever tries tokens ahead must be able to go back.
TEST(Constraint, RefusedTokensAndCopiesLeaveTheStateAsItWas) {
  const auto vocabulary = toy_vocabulary({"yes", "yet", "yesno"});
  const auto constraint = compile_or_fail({Kind::choice, "", {"yes", "yes, sir"}}, vocabulary);
  ConstraintState state(constraint);
  EXPECT_FALSE(state.accept(257));  // "yet": its beginning would fit
  EXPECT_FALSE(state.accept(258));
  EXPECT_FALSE(state.accept(-1));
  EXPECT_FALSE(state.accept(100000));
  const ConstraintState before = state;
  EXPECT_TRUE(state.accept(256));
  EXPECT_TRUE(state.may_end());
  EXPECT_FALSE(before.may_end());
  EXPECT_EQ(allowed_tokens(before, *vocabulary), (std::vector<TokenId>{'y', 256}));
}

// A model that writes <|im_start|> as text of an answer would break the chat.
TEST(Constraint, ControlTokensAreNeverAllowed) {
  const auto vocabulary = toy_vocabulary();
  const auto constraint = compile_or_fail({Kind::regex, "[^x]*", {}}, vocabulary);
  const auto allowed = allowed_tokens(ConstraintState(constraint), *vocabulary);
  EXPECT_TRUE(std::binary_search(allowed.begin(), allowed.end(), 256));   // the end
  EXPECT_FALSE(std::binary_search(allowed.begin(), allowed.end(), 257));  // control
  EXPECT_FALSE(std::binary_search(allowed.begin(), allowed.end(), 'x'));
}

// Where a byte cannot be written alone, what needs it must not be begun.
TEST(Constraint, BytesWithoutATokenLeadToNoDeadEnd) {
  const auto vocabulary = ConstraintVocabulary::build(
      {.size = 4,
       .bytes = [](TokenId id) { return std::string(id == 0   ? "a"
                                                    : id == 1 ? "b"
                                                              : "bc"); },
       .is_control = [](TokenId) { return false; },
       .is_end_of_generation = [](TokenId id) { return id == 3; }});
  const auto constraint = compile_or_fail({Kind::choice, "", {"aa", "bcx", "ax"}}, vocabulary);
  EXPECT_EQ(allowed_tokens(ConstraintState(constraint), *vocabulary), (std::vector<TokenId>{0}));
  const auto impossible = compile({Kind::choice, "", {"xyz"}}, vocabulary);
  ASSERT_FALSE(impossible);
  EXPECT_NE(impossible.error().message().find("vocabulary"), std::string::npos);
}

// The masks are computed in a clever way; taking a token is not. They must agree everywhere.
TEST(Constraint, MasksAllowExactlyTheTokensThatAreAccepted) {
  const auto vocabulary = shared_vocabulary("ggml-vocab-llama-spm.gguf");
  if (!vocabulary) GTEST_SKIP() << "../shared/data/vocab/ggml-vocab-llama-spm.gguf is missing";
  const std::vector<ConstraintSpec> specs = {
      {Kind::json_object, "", {}},
      {Kind::json_schema,
       R"({"properties": {"s": {"type": "string", "minLength": 2, "maxLength": 30},
           "list": {"items": {"anyOf": [{"$ref": "#"}, {"type": "integer", "minimum": -70, "maximum": 1234}]},
           "minItems": 2, "maxItems": 40}, "p": {"type": "string", "pattern": "b+$"}},
           "additionalProperties": {"type": ["number", "null"]}})",
       {}},
      {Kind::json_schema, R"({"type": "string", "minLength": 9, "maxLength": 14})", {}},
      {Kind::gbnf, "root ::= \"<\" (x y?){600,610} \">\"\nx ::= [a-z]\ny ::= \"-\" | \" \"", {}},
      {Kind::regex, "(a|b|the|[α-ω])*c{2,200}( end)?", {}},
      {Kind::gbnf,
       "root ::= sum\nsum ::= sum \"+\" item | item\nitem ::= \"(\" sum \")\" | [0-9a-f]+ | \"\"",
       {}}};
  Rng rng(5);
  for (const ConstraintSpec& spec : specs) {
    const auto constraint = compile_or_fail(spec, vocabulary);
    ASSERT_TRUE(constraint);
    ConstraintState state(constraint);
    for (int step = 0; step < 25 && !state.must_end(); ++step) {
      const std::vector<TokenId> allowed = allowed_tokens(state, *vocabulary);
      std::vector<TokenId> accepted;
      for (TokenId id = 0; id < static_cast<TokenId>(vocabulary->size()); ++id) {
        ConstraintState copy = state;
        if (copy.accept(id)) accepted.push_back(id);
      }
      ASSERT_EQ(allowed, accepted) << spec.text << " step " << step;
      ASSERT_FALSE(allowed.empty());
      TokenId id = allowed[rng.below(allowed.size())];
      for (int i = 0; i < 20 && vocabulary->is_end_of_generation(id); ++i)
        id = allowed[rng.below(allowed.size())];
      state.accept(id);
    }
  }
}

// Requests with the same constraint share it, each on its own thread.
TEST(Constraint, ThreadsThatShareAConstraintWriteWhatOneAloneWrites) {
  const auto vocabulary = toy_vocabulary({"\":", "\"}", "},{", "true"});
  const ConstraintSpec spec = {
      Kind::json_schema,
      R"({"type": "array", "items": {"properties": {"s": {"type": "string", "maxLength": 60},
          "n": {"type": "number"}, "b": {"type": "boolean"}}, "required": ["s"]}, "minItems": 2})",
      {}};
  const auto write_all = [](const std::shared_ptr<const CompiledConstraint>& constraint) {
    std::vector<std::optional<std::string>> answers;
    Rng rng(9);
    for (int i = 0; i < 20; ++i) answers.push_back(write_answer(constraint, rng, 300));
    return answers;
  };
  const auto alone = write_all(compile_or_fail(spec, vocabulary));
  const auto shared = compile_or_fail(spec, vocabulary);
  std::vector<std::vector<std::optional<std::string>>> answers(4);
  {
    std::vector<std::jthread> threads;
    for (auto& own : answers) threads.emplace_back([&] { own = write_all(shared); });
  }
  for (const auto& own : answers) EXPECT_EQ(own, alone);
}

// A cache that only grows would end in the memory of a server full of odd schemas.
TEST(Constraint, TheCacheStaysBounded) {
  std::vector<std::string> words;
  for (int i = 0; i < 200'000; ++i) words.push_back(fmt::format("w{}", i));
  const auto vocabulary = toy_vocabulary(words);
  // Each place in the pattern has a mask of its own.
  const auto constraint =
      compile_or_fail({Kind::regex, "[^%]{512}[^%]{512}[^%]{512}[^%]{512}", {}}, vocabulary);
  ASSERT_TRUE(constraint);
  ConstraintState state(constraint);
  std::vector<std::uint64_t> mask(vocabulary->mask_words());
  std::size_t most = 0;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(state.fill_mask(mask));
    ASSERT_TRUE(state.accept('a'));
    if (constraint->cache_bytes() < most) break;  // it forgot
    most = constraint->cache_bytes();
  }
  EXPECT_GT(most, constraint::kCacheBytesMax / 2);
  EXPECT_LE(most, constraint::kCacheBytesMax);
}

// Memory and time of a server belong to all its users.
TEST(Constraint, HostileSizesAreRefusedWithBothFigures) {
  EXPECT_NE(error_of(Kind::regex, "(a|b)*a(a|b){30}").find("at most 60000"), std::string::npos);
  EXPECT_NE(error_of(Kind::regex, "a{1000000000}").find("at most 100000"), std::string::npos);
  EXPECT_NE(error_of(Kind::regex, std::string(300'000, 'a')).find("262144"), std::string::npos);
  EXPECT_NE(
      error_of(Kind::regex, std::string(100, '(') + std::string(100, ')')).find("deeper than 64"),
      std::string::npos);
  EXPECT_NE(error_of(Kind::json_schema, R"({"type": "array", "maxItems": 1e9})")
                .find("1000000000, at most 100000"),
            std::string::npos);
  std::string deep = "true";
  for (int i = 0; i < 100; ++i) deep = "{\"items\":" + deep + "}";
  EXPECT_NE(error_of(Kind::json_schema, deep).find("deeper than 64"), std::string::npos);
  std::string doubling = R"({"$defs": {"d0": {"type": "string"})";
  for (int i = 1; i < 30; ++i) {
    doubling += fmt::format(
        R"(, "d{}": {{"allOf": [{{"$ref": "#/$defs/d{}"}}, {{"$ref": "#/$defs/d{}"}}]}})", i, i - 1,
        i - 1);
  }
  EXPECT_NE(
      error_of(Kind::json_schema, doubling + R"(}, "$ref": "#/$defs/d29"})").find("more than"),
      std::string::npos);
}

// A model may open parentheses without end; the stack of the process must not grow with them.
TEST(Constraint, DeepNestingTakesNoStackOfTheProcess) {
  const auto vocabulary = toy_vocabulary({std::string(200, '(')});
  const auto constraint = compile_or_fail(
      {Kind::gbnf, "root ::= s\ns ::= s \"+\" e | e\ne ::= \"(\" s \")\" | \"a\"", {}}, vocabulary);
  ConstraintState state(constraint);
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(state.accept(256));
  ASSERT_TRUE(state.accept('a'));
  const auto allowed = allowed_tokens(state, *vocabulary);
  EXPECT_EQ(allowed, (std::vector<TokenId>{')', '+'}));
}

// An ambiguous grammar must not stop the server, whatever it writes.
TEST(Constraint, AmbiguousGrammarsStayWithinTheirBounds) {
  const auto vocabulary = toy_vocabulary({"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ab", "ba", "bb"});
  for (const char* text :
       {"root ::= root root | \"a\" | \"\"", "root ::= (\"a\" | \"aa\"){0,50000}",
        "root ::= ((\"a\"* \"b\"?)* [ab]*)*", "root ::= x{600,700} x*\nx ::= \"a\"*"}) {
    const auto constraint = compile_or_fail({Kind::gbnf, text, {}}, vocabulary);
    ASSERT_TRUE(constraint);
    ConstraintState state(constraint);
    std::vector<std::uint64_t> mask(vocabulary->mask_words());
    for (int i = 0; i < 40; ++i) {
      const auto filled = state.fill_mask(mask);
      if (!filled) {
        EXPECT_EQ(filled.error().code(), Errc::limit);
        break;
      }
      const std::vector<TokenId> allowed = allowed_tokens(state, *vocabulary);
      ASSERT_FALSE(allowed.empty()) << text;
      ASSERT_TRUE(state.accept(allowed[0])) << text << " " << i;
    }
  }
}

// The mask looks at each way to read the text alone, taking a token follows all of them at once and
// gives up the last ones. Where the two disagree, the token must be refused and no more.
TEST(Constraint, TokensWhoseParseWasGivenUpAreRefusedAndChangeNothing) {
  constexpr int kRules = 300;  // that begin alike, each with its own end
  std::vector<std::string> words;
  std::string text = "root ::= r0";
  for (int i = 1; i < kRules; ++i) text += fmt::format(" | r{}", i);
  for (int i = 0; i < kRules; ++i) {
    words.push_back(fmt::format("x{:03}", i));
    text += fmt::format(
        "\nr{0} ::= \"x\" p{0} | \"x\" q{0}\np{0} ::= \"{0:03}\" p{0} | \".\"\n"
        "q{0} ::= \"-\" q{0} | \"!\"",
        i);
  }
  const auto vocabulary = toy_vocabulary(words);
  const auto constraint = compile_or_fail({Kind::gbnf, text, {}}, vocabulary);
  ASSERT_TRUE(constraint);
  const ConstraintState state(constraint);
  const std::vector<TokenId> allowed = allowed_tokens(state, *vocabulary);
  ASSERT_EQ(allowed.size(), 1u + kRules) << "x, and x with the end of each";
  int accepted = 0, refused = 0;
  for (const TokenId id : allowed) {
    ConstraintState tried = state;
    if (tried.accept(id)) {
      ++accepted;
      EXPECT_TRUE(tried.accept('.')) << id;
    } else {
      ++refused;
      EXPECT_EQ(allowed_tokens(tried, *vocabulary), allowed) << id;
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

// What one mask may take is for all that it is made of: many parses, each cheap enough alone, must
// not hold up a step that others share.
TEST(Constraint, TheWorkOfAMaskIsBoundedAsAWhole) {
  std::vector<std::string> words;
  for (int i = 0; i < 100'000; ++i) words.push_back(fmt::format("a{}", i));
  const auto vocabulary = toy_vocabulary(words);
  const auto grammar = [](int rules) {
    std::string text = "root ::= r0";
    for (int i = 1; i < rules; ++i) text += fmt::format(" | r{}", i);
    for (int i = 0; i < rules; ++i) text += fmt::format("\nr{0} ::= [a-z0-9] r{0} | \"<{0}>\"", i);
    return text;
  };
  std::vector<std::uint64_t> mask(vocabulary->mask_words());
  const auto few = compile_or_fail({Kind::gbnf, grammar(3), {}}, vocabulary);
  EXPECT_TRUE(ConstraintState(few).fill_mask(mask));
  const auto many = compile_or_fail({Kind::gbnf, grammar(300), {}}, vocabulary);
  const auto filled = ConstraintState(many).fill_mask(mask);
  ASSERT_TRUE(filled.is(Errc::limit));
  EXPECT_NE(filled.error().message().find(std::to_string(constraint::kMaskWorkMax)),
            std::string::npos);
}

}  // namespace
}  // namespace drystone

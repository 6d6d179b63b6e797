#include "serve/constraint_cache.h"

#include <gtest/gtest.h>

#include "model/tokenizer/tiny_vocabulary.h"

namespace drystone {
namespace {

// An agent sends the same schema with each of a thousand requests.
TEST(ConstraintCache, CompilesAConstraintOnce) {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  ConstraintCache cache;
  const auto compile = [&](std::vector<std::string> choices) {
    return *cache.compile(
        to_spec({.kind = Constraint::Kind::choice, .choices = std::move(choices)}), vocabulary);
  };
  const auto first = compile({"a", "bc"});
  EXPECT_EQ(compile({"a", "bc"}), first);
  EXPECT_NE(compile({"a b", "c"}), first);
  EXPECT_NE(compile({"ab", "c"}), first);
  for (std::size_t i = 0; i < ConstraintCache::kConstraintsMax; ++i)
    compile({"x" + std::to_string(i)});
  EXPECT_NE(compile({"a", "bc"}), first) << "the oldest one went";
}

TEST(ConstraintCache, PassesErrorsOn) {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  ConstraintCache cache;
  EXPECT_FALSE(cache.compile(to_spec({.kind = Constraint::Kind::regex, .text = "("}), vocabulary));
}

}  // namespace
}  // namespace drystone

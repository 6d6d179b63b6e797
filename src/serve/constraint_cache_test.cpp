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

// Masks grow while requests run, so the bound must see what has become of a constraint, not only
// what it was.
TEST(ConstraintCache, HoldsNoMoreBytesThanItsMaximumAndLetsGoOfTheLeastRecentlyUsed) {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  const auto spec = [](int number) {
    return to_spec(
        {.kind = Constraint::Kind::regex, .text = "[a-z]{200,300}" + std::to_string(number)});
  };
  const std::size_t one = (*compile(spec(0), vocabulary))->bytes();
  ConstraintCache cache(one * 7 / 2);  // room for three
  const auto get = [&](int number) { return *cache.compile(spec(number), vocabulary); };
  std::vector<std::shared_ptr<const CompiledConstraint>> made;
  for (int i = 0; i < 3; ++i) made.push_back(get(i));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(get(i), made[static_cast<std::size_t>(i)]) << i;
  get(0);
  get(3);
  EXPECT_EQ(get(0), made[0]) << "it was used last";
  EXPECT_NE(get(1), made[1]) << "it was unused for longest";

  made[1] = get(1);
  ConstraintState state(made[1]);
  std::vector<std::uint64_t> mask(vocabulary->mask_words());
  while (made[1]->bytes() < one * 3) {
    ASSERT_TRUE(state.fill_mask(mask));
    ASSERT_TRUE(state.accept(*tokenizer->find("a")));
  }
  EXPECT_EQ(get(1), made[1]);
  EXPECT_NE(get(0), made[0]) << "masks of another have taken its room";
}

// One that is larger than all that is meant for them still serves its request, and the next.
TEST(ConstraintCache, KeepsTheLastOneWhateverItHolds) {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  ConstraintCache cache(1);
  const auto compile = [&](const char* text) {
    return *cache.compile(to_spec({.kind = Constraint::Kind::regex, .text = text}), vocabulary);
  };
  const auto first = compile("a+"), same = compile("a+");
  EXPECT_EQ(first, same);
  compile("b+");
  EXPECT_NE(compile("a+"), first);
}

TEST(ConstraintCache, PassesErrorsOn) {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  ConstraintCache cache;
  EXPECT_FALSE(cache.compile(to_spec({.kind = Constraint::Kind::regex, .text = "("}), vocabulary));
}

}  // namespace
}  // namespace drystone

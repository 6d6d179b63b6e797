#include "engine/ngram_draft.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

NgramDraft after(std::initializer_list<TokenId> tokens) {
  NgramDraft draft;
  for (const TokenId token : tokens) draft.push(token);
  return draft;
}

TEST(NgramDraft, GuessesWhatCameAfterTheSameThreeTokens) {
  NgramDraft draft = after({1, 2, 3, 4, 5, 6, 7, 1, 2, 3});
  EXPECT_EQ(draft.guess(7), (std::vector<TokenId>{4, 5, 6}));
  EXPECT_EQ(draft.guess(2), (std::vector<TokenId>{4, 5}));
}

TEST(NgramDraft, TheLatestOccurrenceCounts) {
  EXPECT_EQ(after({1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3}).guess(1), (std::vector<TokenId>{5}));
}

TEST(NgramDraft, IsSilentWhereNothingComesAgain) {
  EXPECT_TRUE(after({1, 2, 3, 4, 5}).guess(7).empty());
  EXPECT_TRUE(after({1, 2}).guess(7).empty());
  EXPECT_TRUE(NgramDraft().guess(7).empty());
}

// Wrong guesses cost rows of a step.
TEST(NgramDraft, GuessesLessAfterMistakesAndMoreAfterSuccess) {
  NgramDraft draft = after({1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3});
  draft.judge(3, 3);
  EXPECT_EQ(draft.guess(7).size(), 6u);
  draft.judge(6, 0);
  EXPECT_TRUE(draft.guess(7).empty());
  for (int i = 0; i < 4; ++i)
    for (const TokenId token : {4, 5, 6, 7, 8, 9, 1, 2, 3}) draft.push(token);
  EXPECT_EQ(draft.guess(7).size(), 1u) << "now and then it tries again";
}

}  // namespace
}  // namespace drystone

#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace drystone {
namespace {

Result<int> half_of(int value) {
  if (value % 2) return Error(Errc::invalid_argument, "not even");
  return value / 2;
}

Result<int> quarter_of(int value) {
  const int half = TRY(half_of(value));
  return TRY(half_of(half));
}

// TRY must hand on the very error, not a new one: the message is what the user gets to see.
TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter_of(12), 3);
  const auto odd_half = quarter_of(6);
  ASSERT_TRUE(odd_half.is(Errc::invalid_argument));
  EXPECT_EQ(odd_half.error().message(), "not even");
}

// Each level says what it was doing, so that a message reads from the general to the particular.
TEST(Result, ContextStandsBeforeTheMessage) {
  const Error error = Error(Errc::io, "read failed").with("a.gguf").with("loading");
  EXPECT_EQ(error.message(), "loading: a.gguf: read failed");
  EXPECT_EQ(error.code(), Errc::io);
}

// Models and sockets are owned by unique_ptr: a Result must carry what cannot be copied.
TEST(Result, CarriesMoveOnlyValues) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  std::unique_ptr<int> owned = std::move(made).value();
  EXPECT_EQ(*owned, 7);
}

TEST(Result, VoidIsSuccessUnlessAnErrorIsGiven) {
  EXPECT_TRUE(Result<void>{}.has_value());
  const Result<void> failed = Error(Errc::limit, "too many");
  EXPECT_TRUE(failed.is(Errc::limit));
}

// Reading the value of a failure is our mistake: it ends the process and shows the error that was
// overlooked.
TEST(ResultDeathTest, ValueOfAnErrorStopsWithItsMessage) {
  EXPECT_DEATH((void)*half_of(3), "check failed: has_value\\(\\): not even");
}

}  // namespace
}  // namespace drystone

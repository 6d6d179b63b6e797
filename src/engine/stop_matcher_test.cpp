#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

using Texts = std::vector<std::string>;

// All that comes out for `parts`, and what was held back at the end unless a stop string matched.
std::string run(const Texts& stops, const Texts& parts) {
  StopMatcher matcher(stops);
  std::string out;
  for (const std::string& part : parts) out += matcher.push(part);
  return out + matcher.flush();
}

// A stop string may lie across tokens; nothing of it may be seen by the client.
TEST(StopMatcher, FindsAStopAcrossParts) {
  StopMatcher matcher({"\nUser:"});
  EXPECT_EQ(matcher.push("Hello\n"), "Hello");
  EXPECT_EQ(matcher.push("Us"), "");
  EXPECT_EQ(matcher.push("er: hi"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.stop(), "\nUser:");
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.flush(), "");
}

// Text must flow: only what may still become a stop string waits.
TEST(StopMatcher, HoldsBackNoMoreThanNeeded) {
  StopMatcher matcher({"abcd"});
  EXPECT_EQ(matcher.push("xxab"), "xx");
  EXPECT_EQ(matcher.push("ab"), "ab");  // "abab" can only go on from its second half
  EXPECT_EQ(matcher.push("cx"), "abcx");
  EXPECT_EQ(matcher.push("abc"), "");
  EXPECT_EQ(matcher.flush(), "abc");
  EXPECT_FALSE(matcher.matched());
}

// A prefix that repeats within the stop string must not be lost when a match fails.
TEST(StopMatcher, RestartsWithinAFailedMatch) {
  EXPECT_EQ(run({"aab"}, {"a", "a", "a", "b", "c"}), "a");
  EXPECT_EQ(run({"abababc"}, {"ababab", "ababc"}), "abab");
}

// The answer must not depend on how tokens cut the text.
TEST(StopMatcher, ResultDoesNotDependOnTheParts) {
  const std::string text = "one two three stop here abcabd the end";
  const Texts stops = {"abd", "stop", "p he", "two x"};
  const std::string whole = run(stops, {text});
  EXPECT_EQ(whole, "one two three ");
  for (std::size_t size = 1; size < 8; ++size) {
    Texts parts;
    for (std::size_t at = 0; at < text.size(); at += size) parts.push_back(text.substr(at, size));
    EXPECT_EQ(run(stops, parts), whole) << size;
  }
}

// Overlapping stop strings: the one that ends first, of those the longest.
TEST(StopMatcher, OverlappingStops) {
  EXPECT_EQ(run({"bcd", "abcde"}, {"xabcdef"}), "xa");
  EXPECT_EQ(run({"cd", "bcd"}, {"abcd"}), "a");
  EXPECT_EQ(run({"", "b"}, {"ab"}), "a");
  EXPECT_EQ(run({}, {"ab", "c"}), "abc");
}

// Half a character would break the client's JSON: the cut moves to its beginning.
TEST(StopMatcher, NeverCutsACharacter) {
  StopMatcher matcher({"\xB6!"});  // begins in the middle of U+00F6
  EXPECT_EQ(matcher.push("sch\xC3\xB6"), "sch");
  EXPECT_EQ(matcher.push("n"), "\xC3\xB6n");
  EXPECT_EQ(run({"\xC3\xA4"}, {"M\xC3\xA4\x72z", "x"}), "M");
}

}  // namespace
}  // namespace drystone

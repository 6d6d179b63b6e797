#include "serve/api/openai/response_store.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

class FrozenClock final : public Clock {
 public:
  Nanoseconds monotonic() const override { return now; }
  WallTime wall() const override { return {}; }
  Nanoseconds now{0};
};

ResponseStore::Entry entry(const std::string& text) {
  return {.response = {{"id", text}}, .history = {boost::json::value(text)}};
}

// A server that runs for months must not keep what everybody ever said.
TEST(ResponseStore, ForgetsWhatWasUnusedForLongest) {
  const FrozenClock clock;
  ResponseStore store(clock);
  for (std::size_t i = 0; i < ResponseStore::kResponsesMax; ++i)
    store.put(std::to_string(i), entry("x"));
  EXPECT_TRUE(store.history("0")) << "used now, so it stays";
  store.put("new", entry("x"));
  EXPECT_TRUE(store.history("0"));
  EXPECT_FALSE(store.history("1"));
  EXPECT_EQ(store.history("1").error().status, 404);
}

TEST(ResponseStore, HoldsABoundedNumberOfBytes) {
  const FrozenClock clock;
  ResponseStore store(clock);
  const std::string large(ResponseStore::kBytesMax / 5, 'x');
  for (const char* id : {"a", "b", "c"}) store.put(id, entry(large));
  EXPECT_FALSE(store.show("a"));
  EXPECT_TRUE(store.show("c"));
  store.put("huge", entry(std::string(ResponseStore::kBytesMax, 'x')));
  EXPECT_FALSE(store.show("huge"));
  EXPECT_TRUE(store.show("c")) << "what does not fit pushes nothing out";
}

TEST(ResponseStore, ForgetsAfterADayAndOnDemand) {
  FrozenClock clock;
  ResponseStore store(clock);
  store.put("a", entry("x"));
  store.put("b", entry("x"));
  EXPECT_TRUE(store.erase("b"));
  EXPECT_FALSE(store.show("b"));
  clock.now = std::chrono::hours(25);
  EXPECT_FALSE(store.show("a"));
}

}  // namespace
}  // namespace drystone

#include "app/node/load_request.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

TEST(LoadRequest, ReadsWhatIsAskedFor) {
  const auto request = parse_load_request(
      R"({"model": "models/a#b.gguf", "stages": 2, "context": 4096, "nodes": ["atlas", "nova"]})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->path_or_name, "models/a#b.gguf");
  EXPECT_EQ(request->desired.stages, 2u);
  EXPECT_EQ(request->desired.context, 4096u);
  EXPECT_EQ(request->desired.nodes, (std::vector<std::string>{"atlas", "nova"}));
  EXPECT_EQ(parse_unload_request(R"({"model": "pebble"})").value(), "pebble");
}

// A mistyped wish must not be half understood.
TEST(LoadRequest, RefusesWhatItDoesNotUnderstand) {
  for (const char* body : {"", "[]", "{}", R"({"model": ""})", R"({"model": 7})",
                           R"({"model": "a", "stage": 2})", R"({"model": "a", "shards": 99})",
                           R"({"model": "a", "stages": "2"})", R"({"model": "a"} x)"})
    EXPECT_TRUE(parse_load_request(body).is(Errc::invalid_argument)) << body;
  EXPECT_TRUE(parse_load_request(std::string(kLoadRequestMax + 1, ' ')).is(Errc::limit));
}

}  // namespace
}  // namespace drystone

#include "app/node/wire/load_request.h"

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

// Of a plan only: nobody asks for a model to be loaded for prompts of one length.
TEST(LoadRequest, ThePromptOfAPlan) {
  const auto question = parse_plan_question(R"({"model": "a", "prompt_tokens": 2048})");
  ASSERT_TRUE(question) << question.error().message();
  EXPECT_EQ(question->prompt_tokens, 2048u);
  EXPECT_EQ(question->wish.path_or_name, "a");
  EXPECT_EQ(parse_plan_question(R"({"model": "a"})").value().prompt_tokens, 0u);
  for (const char* body :
       {R"({"model": "a", "prompt_tokens": 0})", R"({"model": "a", "prompt_tokens": "9"})",
        R"({"prompt_tokens": 9})", R"({"model": "a", "prompt": 9})"})
    EXPECT_TRUE(parse_plan_question(body).is(Errc::invalid_argument)) << body;
  EXPECT_TRUE(
      parse_load_request(R"({"model": "a", "prompt_tokens": 9})").is(Errc::invalid_argument));
}

// What may stand there is said with what does.
TEST(LoadRequest, SaysWhatAChoiceMayBe) {
  const auto refusal = [](const char* body) { return parse_load_request(body).error().message(); };
  EXPECT_EQ(refusal(R"({"model": "a", "kv_format": "q3"})"),
            R"(request: "kv_format" is "q3": expected f16, f32 or q8_0)");
  EXPECT_EQ(refusal(R"({"model": "a", "row_format": "f8"})"),
            R"(request: "row_format" is "f8": expected f32, f16 or q8)");
  EXPECT_EQ(refusal(R"({"model": "a", "objective": "all"})"),
            "request: \"objective\" is \"all\": expected automatic, one_stream, many_streams or "
            "prompt");
}

// A mistyped wish must not be half understood.
TEST(LoadRequest, RefusesWhatItDoesNotUnderstand) {
  for (const char* body : {"", "[]", "{}", R"({"model": ""})", R"({"model": 7})",
                           R"({"model": "a", "stage": 2})", R"({"model": "a", "shards": 99})",
                           R"({"model": "a", "stages": "2"})", R"({"model": "a"} x)"})
    EXPECT_TRUE(parse_load_request(body).is(Errc::invalid_argument)) << body;
  EXPECT_TRUE(parse_load_request(std::string(kLoadRequestMax + 1, ' ')).is(Errc::limit));
  EXPECT_EQ(parse_unload_request(R"({"model": "a"})").value(), "a");
  for (const char* body : {"", "[]", "{}", R"({"model": ""})", R"({"model": "a", "replicas": 1})"})
    EXPECT_TRUE(parse_unload_request(body).is(Errc::invalid_argument)) << body;
}

}  // namespace
}  // namespace drystone

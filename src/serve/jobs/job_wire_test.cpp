#include "serve/jobs/job_wire.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "engine/constraint/constraint.h"
#include "model/tokenizer/tiny_vocabulary.h"

namespace drystone {
namespace {

GenerateRequest full_request() {
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  const auto vocabulary = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
  GenerateRequest request{.prompt = {1, 2, 3}, .written = {4, 5}, .tokens_max = 7};
  request.sampling = {.temperature = 0.9f,
                      .top_k = 3,
                      .top_p = 0.8f,
                      .min_p = 0.1f,
                      .typical_p = 0.7f,
                      .repetition_penalty = 1.1f,
                      .frequency_penalty = 0.2f,
                      .presence_penalty = -0.3f,
                      .penalty_window = 9,
                      .logit_bias = {{3, -std::numeric_limits<float>::infinity()}, {4, 2.5f}},
                      .seed = 0x123456789abcdef0};
  request.stop = {"\n", "end"};
  request.stop_tokens = {8};
  request.visible_tokens = {9, 10};
  request.ignore_eos = true;
  request.tokens_min = 2;
  request.constraint =
      *compile({.kind = ConstraintSpec::Kind::gbnf, .text = "root ::= x", .schemas = {{"x", "{}"}}},
               vocabulary);
  request.priority = -5;
  request.cache_salt = "salt";
  request.top_logprobs = 4;
  return request;
}

// A field that is forgotten here would change answers only on clusters.
TEST(JobWire, EveryFieldOfARequestArrives) {
  const GenerateRequest sent = full_request();
  const auto order = decode_order(encode_order("stories", 17, "somebody", sent));
  ASSERT_TRUE(order) << order.error().message();
  EXPECT_EQ(order->instance, "stories");
  EXPECT_EQ(order->epoch, 17u);
  EXPECT_EQ(order->client, "somebody");
  const GenerateRequest& came = order->request;
  EXPECT_EQ(came.prompt, sent.prompt);
  EXPECT_EQ(came.written, sent.written);
  EXPECT_EQ(came.pooling, sent.pooling);
  EXPECT_EQ(came.tokens_max, sent.tokens_max);
  EXPECT_EQ(came.sampling.temperature, sent.sampling.temperature);
  EXPECT_EQ(came.sampling.top_k, sent.sampling.top_k);
  EXPECT_EQ(came.sampling.top_p, sent.sampling.top_p);
  EXPECT_EQ(came.sampling.min_p, sent.sampling.min_p);
  EXPECT_EQ(came.sampling.typical_p, sent.sampling.typical_p);
  EXPECT_EQ(came.sampling.repetition_penalty, sent.sampling.repetition_penalty);
  EXPECT_EQ(came.sampling.frequency_penalty, sent.sampling.frequency_penalty);
  EXPECT_EQ(came.sampling.presence_penalty, sent.sampling.presence_penalty);
  EXPECT_EQ(came.sampling.penalty_window, sent.sampling.penalty_window);
  EXPECT_EQ(came.sampling.logit_bias, sent.sampling.logit_bias);
  EXPECT_EQ(came.sampling.seed, sent.sampling.seed);
  EXPECT_EQ(came.stop, sent.stop);
  EXPECT_EQ(came.stop_tokens, sent.stop_tokens);
  EXPECT_EQ(came.visible_tokens, sent.visible_tokens);
  EXPECT_EQ(came.ignore_eos, sent.ignore_eos);
  EXPECT_EQ(came.tokens_min, sent.tokens_min);
  EXPECT_EQ(came.priority, sent.priority);
  EXPECT_EQ(came.cache_salt, sent.cache_salt);
  EXPECT_EQ(came.top_logprobs, sent.top_logprobs);
  ASSERT_TRUE(order->constraint);
  EXPECT_EQ(order->constraint->spec.kind, sent.constraint->spec().kind);
  EXPECT_EQ(order->constraint->spec.text, sent.constraint->spec().text);
  EXPECT_EQ(order->constraint->spec.schemas, sent.constraint->spec().schemas);
  EXPECT_FALSE(order->constraint->calls);
}

TEST(JobWire, AnswersArriveAsTheyWere) {
  const Delta delta{.text = "été",
                    .tokens = {{.id = 3, .logprob = -0.5f, .top = {{3, -0.5f}, {4, -2}}},
                               {.id = 5, .logprob = 0, .top = {}}}};
  const auto came = decode_delta(encode(delta));
  ASSERT_TRUE(came) << came.error().message();
  EXPECT_EQ(came->text, delta.text);
  ASSERT_EQ(came->tokens.size(), 2u);
  EXPECT_EQ(came->tokens[0].top[1].id, 4);
  EXPECT_EQ(came->tokens[0].top[1].logprob, -2);

  const GenerateResult result{.finish = FinishReason::length,
                              .stop = "x",
                              .stop_token = 6,
                              .prompt_tokens = 4,
                              .completion_tokens = 5,
                              .cached_tokens = 2,
                              .queue_s = 0.5,
                              .prefill_s = 1,
                              .decode_s = 2,
                              .hidden = {1, -2}};
  const auto end = decode_result(encode(result));
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_EQ(end->finish, result.finish);
  EXPECT_EQ(end->stop, result.stop);
  EXPECT_EQ(end->stop_token, result.stop_token);
  EXPECT_EQ(end->completion_tokens, 5u);
  EXPECT_EQ(end->cached_tokens, 2u);
  EXPECT_EQ(end->prefill_s, 1);
  EXPECT_EQ(end->hidden, result.hidden);

  const Error error = decode_failure(encode(Error(Errc::limit, "too long")));
  EXPECT_EQ(error.code(), Errc::limit);
  EXPECT_EQ(error.message(), "too long");
  EXPECT_LE(decode_failure(encode(Error(Errc::io, std::string(1 << 20, 'x')))).message().size(),
            JobLimits::kErrorBytesMax);
}

TEST(JobWire, RefusesWhatIsCutOrLonger) {
  const auto whole = encode_order("stories", 1, "somebody", full_request());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(decode_order(std::span(whole).first(size)).is(Errc::corrupt)) << size;
  auto longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_TRUE(decode_order(longer).is(Errc::corrupt));
}

TEST(JobWire, RefusesNumbersThatAreNone) {
  GenerateRequest request{.prompt = {1}};
  request.sampling.temperature = std::nanf("");
  EXPECT_TRUE(decode_order(encode_order("a", 1, "b", request)).is(Errc::corrupt));
  request.sampling.temperature = 1;
  request.stop = {""};
  EXPECT_TRUE(decode_order(encode_order("a", 1, "b", request)).is(Errc::corrupt));
  EXPECT_TRUE(decode_delta(encode(Delta{.text = "\xff", .tokens = {}})).is(Errc::corrupt));
  EXPECT_TRUE(decode_delta(encode(Delta{.text = "", .tokens = {{1, std::nanf(""), {}}}}))
                  .is(Errc::corrupt));
  EXPECT_TRUE(decode_result(encode(GenerateResult{.prompt_tokens = 1, .cached_tokens = 2}))
                  .is(Errc::corrupt));
}

// Any byte may be wrong.
TEST(JobWire, ReadsChangedMessagesWithoutHarm) {
  const auto whole = encode_order("stories", 1, "somebody", full_request());
  Rng rng(5);
  for (int i = 0; i < 20'000; ++i) {
    auto message = whole;
    for (int changes = 0; changes < 3; ++changes)
      message[rng.next() % message.size()] = static_cast<std::byte>(rng.next());
    static_cast<void>(decode_order(message));
    static_cast<void>(decode_delta(message));
    static_cast<void>(decode_result(message));
  }
}

}  // namespace
}  // namespace drystone

#include "serve/peer/split/split_pipe.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "serve/peer/split/test_cluster.h"

namespace drystone {
namespace {

struct Answer {
  std::vector<TokenId> ids;
  std::optional<Result<GenerateResult>> result;
};

// Prompts of different lengths; each third begins as the one before.
GenerateRequest request_of(std::uint64_t number, std::uint32_t tokens_max) {
  Rng rng(number / 3);
  GenerateRequest request{.tokens_max = tokens_max,
                          .sampling = {.temperature = 0.9f, .seed = number},
                          .ignore_eos = true};
  for (std::uint64_t i = 0; i < 70 + number * 23 % 90; ++i)
    request.prompt.push_back(static_cast<TokenId>(rng.below(256) + 32));
  return request;
}

std::vector<std::unique_ptr<Answer>> ask(Engine& engine,
                                         std::span<const GenerateRequest> requests) {
  std::vector<std::unique_ptr<Answer>> answers;
  for (const GenerateRequest& request : requests) {
    Answer& answer = *answers.emplace_back(std::make_unique<Answer>());
    const auto id = engine.batcher().submit(
        {.request = request,
         .on_delta =
             [&answer](const Delta& delta) {
               for (const Sampled& token : delta.tokens) answer.ids.push_back(token.id);
             },
         .on_done = [&answer](Result<GenerateResult> result) { answer.result = result; }});
    EXPECT_TRUE(id) << id.error().message();
  }
  while (engine.batcher().step()) {
  }
  return answers;
}

std::vector<std::vector<TokenId>> texts(Engine& engine, std::span<const GenerateRequest> requests) {
  std::vector<std::vector<TokenId>> texts;
  for (const auto& answer : ask(engine, requests)) {
    EXPECT_TRUE(answer->result && *answer->result)
        << (answer->result ? answer->result->error().message() : "no result");
    texts.push_back(answer->ids);
  }
  return texts;
}

struct Whole {
  Whole(const TestModel& model, const TestShape& shape)
      : device(make_cpu_device(*choose_isa(""), 1)) {
    auto loaded = Engine::load(model.open(), *device,
                               {.context = shape.context,
                                .kv_tokens = shape.kv_tokens,
                                .sequences_max = 16,
                                .queue_max = 64,
                                .batch_tokens_max = shape.rows_max});
    CHECK(loaded, loaded.error().message());
    engine = *std::move(loaded);
  }
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> engine;
};

std::vector<GenerateRequest> crowd(std::uint64_t count, std::uint32_t tokens_max) {
  std::vector<GenerateRequest> requests;
  for (std::uint64_t i = 0; i < count; ++i) requests.push_back(request_of(i, tokens_max));
  return requests;
}

std::vector<GenerateRequest> greedy(std::vector<GenerateRequest> requests) {
  for (GenerateRequest& request : requests) request.sampling = {.temperature = 0};
  return requests;
}

// The promise of stages: whoever asks cannot tell a split model from a whole one.
TEST(SplitPipe, StagesWriteTheTextOfOneDevice) {
  const TestModel model("Q4_0");
  const auto requests = crowd(8, 30);
  Whole whole(model, {});
  const auto expected = texts(*whole.engine, requests);
  for (const TestShape& shape : {TestShape{.borders = {1}}, TestShape{.borders = {1, 3}}}) {
    TestCluster cluster(model, test_placement(model.open(), shape));
    EXPECT_EQ(texts(cluster.engine(), requests), expected);
    // Again, now from the cached prompts, alone.
    EXPECT_EQ(texts(cluster.engine(), std::span(requests).subspan(5, 1))[0], expected[5]);
    EXPECT_GE(cluster.engine().batcher().counts().cached_tokens, 64u);
  }
}

// Weights outlive the links between the parts: a new epoch of the same parts reads none of them,
// and answers as the one before although its pages are full of other requests.
TEST(SplitPipe, TheNextEpochTakesOverWhatIsLoaded) {
  const TestModel model("Q8_0");
  const auto requests = greedy(crowd(4, 20));
  for (const TestShape& shape :
       {TestShape{.borders = {1}}, TestShape{.borders = {2}, .shares = {{1, 1}, {1}}}}) {
    TestCluster cluster(model, test_placement(model.open(), shape));
    const auto before = texts(cluster.engine(), requests);
    cluster.begin_next_epoch(model);
    EXPECT_EQ(cluster.engine().batcher().counts().cached_tokens, 0u);
    EXPECT_EQ(texts(cluster.engine(), requests), before);
  }
}

// Pages are the head's business alone: workers must follow when a request gives its own back.
TEST(SplitPipe, TextStaysTheSameWhenPagesRunOut) {
  const TestModel model("Q8_0");
  const auto requests = crowd(9, 150);
  const TestShape narrow{.borders = {2}, .context = 320, .kv_tokens = 512};
  Whole whole(model, {.context = 320});
  TestCluster cluster(model, test_placement(model.open(), narrow));
  EXPECT_EQ(texts(cluster.engine(), requests), texts(*whole.engine, requests));
  EXPECT_GT(cluster.engine().batcher().counts().preemptions, 0u);
}

// Embeddings come by the same way as text.
TEST(SplitPipe, HiddenStatesAreThoseOfOneDevice) {
  const TestModel model("Q8_0");
  auto requests = crowd(2, 0);
  for (GenerateRequest& request : requests) request.pooling = Pooling::mean;
  Whole whole(model, {});
  const auto expected = ask(*whole.engine, requests);
  for (const TestShape& shape :
       {TestShape{.borders = {1}}, TestShape{.borders = {2}, .shares = {{1}, {1, 1}}}}) {
    TestCluster cluster(model, test_placement(model.open(), shape));
    const auto answers = ask(cluster.engine(), requests);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      ASSERT_TRUE(*answers[i]->result) << answers[i]->result->error().message();
      const auto& is = (*answers[i]->result)->hidden;
      const auto& should = (*expected[i]->result)->hidden;
      ASSERT_EQ(is.size(), should.size());
      for (std::size_t v = 0; v < is.size(); ++v) EXPECT_NEAR(is[v], should[v], 0.1);
    }
  }
}

// Shards sum in another order, which in f32 changes no greedy text.
TEST(SplitPipe, ShardsWriteTheGreedyTextOfOneDevice) {
  const TestModel model("F32");
  const auto requests = greedy(crowd(4, 24));
  Whole whole(model, {});
  const auto expected = texts(*whole.engine, requests);
  const TestShape shapes[] = {{.shares = {{1, 1}}},
                              {.shares = {{2, 1, 1}}},
                              {.borders = {2}, .shares = {{1, 1}}},
                              {.borders = {1, 2}, .shares = {{1, 2}, {1}, {1, 1, 1}}},
                              {.borders = {2}, .shares = {{1}, {1, 1}}}};
  for (const TestShape& shape : shapes) {
    TestCluster cluster(model, test_placement(model.open(), shape));
    EXPECT_EQ(texts(cluster.engine(), requests), expected)
        << shape.borders.size() + 1 << " stages, " << shape.shares[0].size() << " ranks";
  }
}

// On slow links rows are rounded: answers come all the same.
TEST(SplitPipe, RowsMayBeRoundedOnTheWire) {
  const TestModel model("Q8_0");
  const auto requests = greedy(crowd(3, 12));
  for (const RowFormat rows : {RowFormat::f16, RowFormat::q8}) {
    Placement placement = test_placement(model.open(), {.borders = {1, 2}});
    placement.row_format = rows;
    TestCluster cluster(model, placement);
    for (const auto& text : texts(cluster.engine(), requests)) EXPECT_EQ(text.size(), 12u);
  }
}

// A node that is gone must end what it was part of, at once and everywhere, and nothing else.
TEST(SplitPipe, ACutStreamEndsAllRequestsAndParts) {
  const TestModel model("Q8_0", 3);
  struct Case {
    TestShape shape;
    std::string from, to;
  };
  const Case cases[] = {{{.borders = {1, 2}}, "node-1", "node-2"},
                        {{.borders = {1, 2}}, "node-2", "node-0"},
                        {{.shares = {{1, 1, 1}}}, "node-2", "node-1"},
                        {{.borders = {1}, .shares = {{1, 1}}}, "node-3", "node-2"}};
  for (const Case& one : cases) {
    const Placement placement = test_placement(model.open(), one.shape);
    TestCluster cluster(model, placement);
    std::vector<std::unique_ptr<Answer>> answers;
    for (const GenerateRequest& request : crowd(4, 400)) {
      Answer& answer = *answers.emplace_back(std::make_unique<Answer>());
      ASSERT_TRUE(cluster.engine().batcher().submit(
          {.request = request,
           .on_delta =
               [&](const Delta&) {
                 cluster.cable(one.from, one.to).cut();  // in mid-answer
               },
           .on_done = [&answer](Result<GenerateResult> result) { answer.result = result; }}));
    }
    while (cluster.engine().batcher().step()) {
    }
    for (const auto& answer : answers) {
      ASSERT_TRUE(answer->result);
      EXPECT_TRUE(answer->result->is(Errc::unavailable));
    }
    EXPECT_TRUE(
        cluster.engine().batcher().submit({.request = request_of(1, 5)}).is(Errc::unavailable));
    // Nor does the process of the head end with who asks the lost parts all the same.
    const auto asked = cluster.engine().logits(
        request_of(1, 5).prompt, [](std::span<const float>) { return Result<void>(); });
    EXPECT_TRUE(asked.is(Errc::unavailable));
    for (std::size_t part = 0; part < placement.parts.size(); ++part)
      EXPECT_TRUE(cluster.wait_lost(part, std::chrono::seconds(3)))
          << one.from << ", part " << part;
  }
}

// A frozen process says no goodbye: its silence does.
TEST(SplitPipe, ASilentNodeCountsAsLost) {
  const TestModel model("Q8_0", 3);
  LinkOptions links;
  links.timing.keep_every = std::chrono::milliseconds(100);
  links.timing.silence_max = std::chrono::milliseconds(1500);
  const Placement placement = test_placement(model.open(), {.borders = {1, 2}});
  TestCluster cluster(model, placement, links);
  EXPECT_EQ(texts(cluster.engine(), crowd(1, 5)).size(), 1u);
  // Nothing runs; longer than the silence that is allowed, they all stay.
  EXPECT_FALSE(cluster.wait_lost(0, std::chrono::seconds(2))) << cluster.loss(0);
  cluster.cable("node-1", "node-2").frozen = true;
  for (std::size_t part = 0; part < placement.parts.size(); ++part)
    EXPECT_TRUE(cluster.wait_lost(part, std::chrono::seconds(3))) << part;
}

}  // namespace
}  // namespace drystone

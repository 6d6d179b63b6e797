#include <gtest/gtest.h>

#include <deque>
#include <filesystem>

#include "compute/cpu/cpu_device.h"
#include "engine/batcher.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";
constexpr std::uint32_t kContext = 512, kBatchTokens = 128;

// A stage behind several lanes: what steps started first gave waits until it is asked for.
class ManyLanes final : public StepPipe {
 public:
  ManyLanes(DeviceStage& stage, std::uint32_t lanes) : stage_(stage), lanes_(lanes) {}

  std::uint32_t lanes() const override { return lanes_; }
  Result<void> start(const StepInput& input) override {
    CHECK(outputs_.size() < lanes_, outputs_.size());
    if (steps_left_ && (*steps_left_)-- == 0) lost_ = true;
    if (lost_) return tell_loss();
    const StepOutput output = TRY(stage_.run(input));
    outputs_.push_back({{output.logits.begin(), output.logits.end()},
                        {output.hidden.begin(), output.hidden.end()}});
    most_on_the_way = std::max(most_on_the_way, outputs_.size());
    return {};
  }
  Result<StepOutput> finish() override {
    if (lost_) return tell_loss();
    CHECK(!outputs_.empty());
    last_ = std::move(outputs_.front());
    outputs_.pop_front();
    return StepOutput{.logits = last_.logits, .hidden = last_.hidden};
  }
  bool kinds_agree() const override { return stage_.kinds_agree(); }
  std::uint32_t page_tokens() const override { return stage_.page_tokens(); }
  std::uint32_t page_count() const override { return stage_.page_count(); }

  void lose_after(std::uint32_t steps) { steps_left_ = steps; }
  void lose() { lost_ = true; }
  std::size_t most_on_the_way = 0;
  int losses_told = 0;

 private:
  Error tell_loss() {
    ++losses_told;
    return {Errc::unavailable, "stage 2 on nova is lost"};
  }
  struct Output {
    std::vector<float> logits, hidden;
  };
  DeviceStage& stage_;
  const std::uint32_t lanes_;
  std::deque<Output> outputs_;
  Output last_;
  std::optional<std::uint32_t> steps_left_;
  bool lost_ = false;
};

struct Answer {
  std::uint64_t id = 0;
  std::vector<TokenId> ids;
  std::string text;
  std::optional<Result<GenerateResult>> result;
};

// A batcher over a small model with a pipe of so many lanes.
struct Lab {
  explicit Lab(std::uint32_t lanes, std::uint32_t kv_tokens = 16 * kContext, bool guesses = true)
      : device(make_cpu_device(*choose_isa(""), 1)), file(*GgufFile::open(kStories)) {
    const Program program = *load_program(file, kContext);
    const auto source = tensor_source(file);
    stage = *device->load(program,
                          {.layers = {0, static_cast<std::uint32_t>(program.layers.size())},
                           .kv_tokens = kv_tokens,
                           .batch_tokens_max = kBatchTokens,
                           .logit_rows_max = 24},
                          *source);
    tokenizer = *Tokenizer::load(file.metadata());
    pipe = std::make_unique<ManyLanes>(*stage, lanes);
    batcher = std::make_unique<Batcher>(*pipe, *tokenizer, clock,
                                        BatcherOptions{.vocab = program.vocab,
                                                       .width = program.d_model,
                                                       .context = kContext,
                                                       .batch_tokens_max = kBatchTokens,
                                                       .sequences_max = 16,
                                                       .queue_max = 64,
                                                       .draft_rows_max = guesses ? 8u : 0u,
                                                       .stall = 1.6});
  }

  GenerateRequest request(int number, std::uint32_t tokens_max) const {
    static constexpr std::string_view kWords[] = {"cat", "dog", "girl", "tree", "boat", "king"};
    std::string text = "Once upon a time there was a";
    for (int i = 0; i < number * 5 % 97 + 1; ++i)
      text += " " + std::string(kWords[static_cast<std::size_t>(number * 7 + i) % 6]);
    return {.prompt = tokenizer->encode(text, {.add_special = true}),
            .tokens_max = tokens_max,
            .sampling = {.temperature = 0.9f, .seed = static_cast<std::uint64_t>(number)},
            .ignore_eos = true};
  }
  Answer& add(GenerateRequest request) {
    Answer& answer = *answers.emplace_back(std::make_unique<Answer>());
    auto id =
        batcher->submit({.request = std::move(request),
                         .on_delta =
                             [&answer](const Delta& delta) {
                               for (const Sampled& token : delta.tokens)
                                 answer.ids.push_back(token.id);
                               answer.text += delta.text;
                             },
                         .on_done = [&answer](Result<GenerateResult> r) { answer.result = r; }});
    EXPECT_TRUE(id) << id.error().message();
    answer.id = id ? *id : 0;
    return answer;
  }
  void run() {
    while (batcher->step()) {
    }
  }

  SystemClock clock;
  std::unique_ptr<Device> device;
  GgufFile file;
  std::unique_ptr<DeviceStage> stage;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ManyLanes> pipe;
  std::unique_ptr<Batcher> batcher;
  std::vector<std::unique_ptr<Answer>> answers;
};

class BatcherPipeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  }
};

// A model over several machines must write what one machine writes.
TEST_F(BatcherPipeTest, SameTextWithAnyNumberOfLanes) {
  const auto texts = [](std::uint32_t lanes, std::uint32_t kv_tokens) {
    Lab lab(lanes, kv_tokens);
    for (int i = 0; i < 9; ++i) lab.add(lab.request(i, 110 + 3 * static_cast<std::uint32_t>(i)));
    lab.run();
    EXPECT_EQ(lab.pipe->most_on_the_way, lanes);
    EXPECT_EQ(lab.batcher->counts().pages_in_use, 0u);
    std::vector<std::vector<TokenId>> all;
    for (const auto& answer : lab.answers) {
      EXPECT_TRUE(answer->result && *answer->result);
      all.push_back(answer->ids);
    }
    if (kv_tokens < kContext * 2) {
      EXPECT_GT(lab.batcher->counts().preemptions, 0u) << lanes;
    }
    return all;
  };
  const auto expected = texts(1, 16 * kContext);
  for (const std::uint32_t lanes : {2u, 3u, 4u}) EXPECT_EQ(texts(lanes, 16 * kContext), expected);
  // Out of pages, too: who is in a step on its way keeps them until it has ended.
  for (const std::uint32_t lanes : {1u, 3u}) EXPECT_EQ(texts(lanes, 12 * 64), expected);
}

// All stages work only if the writers are spread over the lanes.
TEST_F(BatcherPipeTest, WritersShareTheLanesEvenly) {
  Lab lab(2, 16 * kContext, /*guesses=*/false);
  for (int i = 0; i < 8; ++i) lab.add(lab.request(0, 64));
  lab.run();
  const BatcherCounts counts = lab.batcher->counts();
  // Two steps for each token of eight requests, and some to read the prompts.
  EXPECT_GE(counts.steps, 2 * 62u);
  EXPECT_LE(counts.steps, 2 * 64u + 16);
}

// Whoever waits for an answer must learn that the machine it came from is gone, and nobody else's
// process may end.
TEST_F(BatcherPipeTest, ALostStageEndsAllRequestsAndFurtherOnes) {
  Lab lab(2);
  for (int i = 0; i < 20; ++i) lab.add(lab.request(i, 50));  // more than have places
  lab.pipe->lose_after(30);
  lab.run();
  for (const auto& answer : lab.answers) {
    ASSERT_TRUE(answer->result);
    ASSERT_FALSE(*answer->result);
    EXPECT_EQ(answer->result->error().code(), Errc::unavailable);
  }
  EXPECT_EQ(lab.batcher->counts().pages_in_use, 0u);
  const auto late = lab.batcher->submit({.request = lab.request(1, 5)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message(), "stage 2 on nova is lost");
}

// Who was just let in when the loss came out must not be computed on what is lost.
TEST_F(BatcherPipeTest, ALossWhileRoomIsMadeEndsWhoComesIn) {
  Lab lab(2, 4 * 64);
  for (int i = 0; i < 2; ++i) {  // they hold all pages
    GenerateRequest request = lab.request(i, 50);
    request.priority = 1;
    lab.add(request);
  }
  lab.batcher->step();
  ASSERT_EQ(lab.batcher->counts().pages_in_use, 4u);
  lab.pipe->lose();
  lab.add(lab.request(0, 50));  // matters more: takes the place of one of them
  lab.batcher->step();
  for (const auto& answer : lab.answers) {
    ASSERT_TRUE(answer->result);
    EXPECT_TRUE(answer->result->is(Errc::unavailable));
  }
  EXPECT_EQ(lab.pipe->losses_told, 1) << "it was asked again";
  EXPECT_FALSE(lab.batcher->step());
  EXPECT_EQ(lab.batcher->counts().pages_in_use, 0u);
}

// A client of a lost machine sees a pause and then the text that it would have seen.
TEST_F(BatcherPipeTest, AnAnswerGoesOnWhereAnotherEngineLeftIt) {
  Lab whole(1);
  GenerateRequest request = whole.request(3, 60);
  request.sampling.repetition_penalty = 1.1f;
  request.sampling.frequency_penalty = 0.2f;
  const Answer& expected = whole.add(request);
  whole.run();
  ASSERT_EQ(expected.ids.size(), 60u);
  for (const std::uint32_t written : {1u, 17u, 59u, 60u}) {
    Lab other(written % 2 + 1);
    request.written.assign(expected.ids.begin(), expected.ids.begin() + written);
    const Answer& answer = other.add(request);
    other.run();
    ASSERT_TRUE(answer.result && *answer.result);
    EXPECT_EQ(answer.ids, expected.ids) << written;
    EXPECT_EQ(answer.text, expected.text) << written;
    EXPECT_EQ((*answer.result)->completion_tokens, 60u);
    EXPECT_EQ((*answer.result)->finish, FinishReason::length);
  }
  request.written.assign(expected.ids.begin(), expected.ids.end());
  request.tokens_max = 59;
  EXPECT_TRUE(Lab(1).batcher->submit({.request = request}).is(Errc::invalid_argument));
}

// Who leaves while its rows are on their way gives its pages back only then.
TEST_F(BatcherPipeTest, ACancelledRequestLeavesWithinTheStepsOnTheirWay) {
  Lab lab(3);
  for (int i = 0; i < 6; ++i) lab.add(lab.request(i, 100));
  for (int i = 0; i < 20; ++i) lab.batcher->step();
  lab.batcher->cancel(lab.answers[2]->id);
  lab.batcher->step();
  ASSERT_TRUE(lab.answers[2]->result && *lab.answers[2]->result);
  EXPECT_EQ((*lab.answers[2]->result)->finish, FinishReason::cancelled);
  lab.run();
  for (const auto& answer : lab.answers) EXPECT_TRUE(answer->result && *answer->result);
}

}  // namespace
}  // namespace drystone

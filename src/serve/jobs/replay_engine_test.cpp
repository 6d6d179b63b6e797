// Answers of a real model whose heads are lost again and again, compared with those of a run
// without a fault, byte by byte and token by token.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/rng.h"
#include "compute/cpu/cpu_device.h"
#include "engine/constraint/constraint.h"
#include "net/test_memory_stream.h"
#include "serve/engine_model.h"
#include "serve/jobs/job_client.h"
#include "serve/jobs/job_server.h"
#include "serve/jobs/replay_queue.h"
#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";

// Ends after `bytes` were read through it, in the midst of whatever was being said.
class CutStream final : public DataStream {
 public:
  CutStream(std::unique_ptr<DataStream> stream, std::uint64_t bytes)
      : stream_(std::move(stream)), bytes_left_(bytes) {}
  Result<void> write(Parts parts, StreamWait wait) override { return stream_->write(parts, wait); }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    if (into.size() > bytes_left_) {
      stream_->close();
      return Error(Errc::io, "the cable was cut");
    }
    bytes_left_ -= into.size();
    return stream_->read(into, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override {
    return stream_->exchange(parts, into, wait);
  }
  void close() override { stream_->close(); }
  const StreamPeer& peer() const override { return stream_->peer(); }

 private:
  std::unique_ptr<DataStream> stream_;
  std::uint64_t bytes_left_;
};

// A node with the model, and the connection of another node to it.
class Node {
 public:
  Node() : device_(make_cpu_device(*choose_isa(""), 1)) {
    engine_ = *Engine::load(*GgufFile::open(kStories), *device_,
                            {.context = 256, .sequences_max = 4, .queue_max = 16});
    model_ = make_engine_model(*engine_, clock_);
  }
  ~Node() { disconnect(); }

  ServedModel& model() { return *model_; }
  Engine& engine() { return *engine_; }

  // A queue whose connection breaks after so many bytes came over it.
  std::shared_ptr<JobQueue> connect(std::uint64_t bytes) {
    disconnect();
    auto [near, far] = make_memory_streams();
    server_ =
        std::make_unique<JobServer>(std::move(far), [this](const std::string&, std::uint64_t) {
          return Result<std::shared_ptr<ServedModel>>(model_);
        });
    thread_ = std::thread([this] { static_cast<void>(server_->serve()); });
    return std::make_shared<JobClient>(
        std::make_unique<CutStream>(std::move(near), bytes),
        JobClient::Options{
            .instance = "stories", .vocab = model_->vocab(), .width = model_->width()});
  }

 private:
  void disconnect() {
    if (server_ == nullptr) return;
    server_->close();
    thread_.join();
    server_ = nullptr;
  }

  SystemClock clock_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<ServedModel> model_;
  std::unique_ptr<JobServer> server_;
  std::thread thread_;
};

class ReplayEngineTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
    nodes.push_back(std::make_unique<Node>());
    nodes.push_back(std::make_unique<Node>());
  }

  GenerateRequest request(float temperature, std::uint32_t tokens) {
    GenerateRequest out{.prompt = nodes[0]->model().text_prompt("Once upon a time, there was"),
                        .tokens_max = tokens};
    out.sampling.temperature = temperature;
    out.sampling.seed = 42;
    return out;
  }

  // Runs `asked` while connections break at places that `seed` decides, until one lasts.
  void expect_same(const GenerateRequest& asked, std::uint64_t seed) {
    SeenAnswer whole, seen;
    ASSERT_TRUE(nodes[0]->model().jobs().submit(whole.job(asked)));
    const Result<GenerateResult> expected = whole.wait();
    ASSERT_TRUE(expected) << expected.error().message();

    Rng rng(seed);
    ReplayQueue queue({.instance = "stories"}, clock);
    const std::uint64_t replica = queue.add_replica();
    ASSERT_TRUE(queue.submit(seen.job(asked)));
    std::uint64_t epoch = 0;
    // Frames of one token take some 40 bytes; the last connections are long enough for the rest.
    for (std::uint64_t faults = 1 + rng.next() % 6; !seen.over(); faults -= faults > 0 ? 1 : 0) {
      Node& node = *nodes[rng.next() % nodes.size()];
      const std::uint64_t bytes = faults == 0 ? 1 << 30 : 20 + rng.next() % (50 * asked.tokens_max);
      const auto head = node.connect(bytes);
      queue.set_head(replica, ++epoch, head);
      while (!head->lost() && !seen.over()) std::this_thread::yield();
      if (!seen.over() && !seen.tokens().empty()) ++lost_within;
    }
    const Result<GenerateResult> result = seen.wait();
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(seen.text(), whole.text()) << "seed " << seed;
    ASSERT_EQ(seen.tokens().size(), whole.tokens().size()) << "seed " << seed;
    for (std::size_t i = 0; i < seen.tokens().size(); ++i) {
      EXPECT_EQ(seen.tokens()[i].id, whole.tokens()[i].id) << i;
      EXPECT_EQ(seen.tokens()[i].logprob, whole.tokens()[i].logprob) << i;
    }
    EXPECT_EQ(result->finish, expected->finish);
    EXPECT_EQ(result->stop, expected->stop);
    EXPECT_EQ(result->prompt_tokens, expected->prompt_tokens);
    EXPECT_EQ(result->completion_tokens, expected->completion_tokens);
  }

  SystemClock clock;
  std::vector<std::unique_ptr<Node>> nodes;
  int lost_within = 0;  // connections that broke behind the first token of an answer
};

TEST_F(ReplayEngineTest, GreedyAnswersAreTheSameWhereverConnectionsBreak) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) expect_same(request(0, 40), seed);
  EXPECT_GE(lost_within, 12);
}

TEST_F(ReplayEngineTest, SampledAnswersAreTheSame) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    GenerateRequest asked = request(0.9f, 40);
    asked.sampling.seed = seed;
    asked.sampling.repetition_penalty = 1.1f;
    asked.sampling.presence_penalty = 0.2f;
    if (seed % 2 == 1) asked.top_logprobs = 2;
    expect_same(asked, seed);
  }
}

// Text is held back while it may become a stop string.
TEST_F(ReplayEngineTest, StopStringsAreFoundAcrossFaults) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    GenerateRequest asked = request(0, 40);
    asked.stop = {"She loved to", " and and"};
    expect_same(asked, seed);
  }
}

TEST_F(ReplayEngineTest, ConstrainedAnswersAreTheSame) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    GenerateRequest asked = request(0.9f, 60);
    asked.sampling.seed = seed;
    asked.constraint = *compile(
        {.kind = ConstraintSpec::Kind::json_schema,
         .text = R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},)"
                 R"("age":{"type":"integer","minimum":0,"maximum":99}},)"
                 R"("required":["name","age"],"additionalProperties":false})"},
        nodes[0]->engine().vocabulary());
    expect_same(asked, seed);
  }
}

// The last place of the context: a replay has no room for one more token.
TEST_F(ReplayEngineTest, AnswersThatFillTheContextAreTheSame) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    GenerateRequest asked = request(0, 0);
    asked.ignore_eos = true;
    asked.tokens_max = static_cast<std::uint32_t>(256 - asked.prompt.size());
    expect_same(asked, seed);
  }
}

}  // namespace
}  // namespace drystone

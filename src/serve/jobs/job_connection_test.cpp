// JobClient and JobServer together, and each against a hostile other side.
#include <gtest/gtest.h>

#include <thread>

#include "engine/constraint/constraint.h"
#include "engine/constraint/vocabulary.h"
#include "model/tokenizer/tiny_vocabulary.h"
#include "net/frame.h"
#include "net/test_memory_stream.h"
#include "serve/http/scripted_model.h"
#include "serve/jobs/job_client.h"
#include "serve/jobs/job_server.h"
#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

using std::chrono::milliseconds;

constexpr JobWaits kWaits{.alive_every = milliseconds(5),
                          .silence_max = milliseconds(20'000),
                          .write_max = milliseconds(20'000),
                          .look_every = milliseconds(1)};

// A model whose jobs do what the test says.
class QueueModel final : public ServedModel {
 public:
  Result<std::vector<TokenId>> chat_prompt(const ChatRequest&) const override {
    return std::vector<TokenId>{1};
  }
  std::vector<TokenId> text_prompt(std::string_view) const override { return {1}; }
  std::string piece(TokenId) const override { return "x"; }
  std::uint32_t context() const override { return 100; }
  std::uint32_t vocab() const override { return 256; }
  JobQueue& jobs() override { return queue; }
  Result<std::shared_ptr<const CompiledConstraint>> compile_spec(const ConstraintSpec& spec,
                                                                 bool) const override {
    const std::lock_guard lock(compiling);
    return Error(Errc::unsupported, "compiling " + spec.text);
  }
  ScriptedQueue queue;
  mutable std::mutex compiling;  // a test holds it
};

// A server on a thread of its own, with one instance, "stories" of epoch 1.
class Served {
 public:
  Served(std::unique_ptr<DataStream> stream, std::shared_ptr<ServedModel> model,
         JobServer::Options options = {.waits = kWaits})
      : server(
            std::move(stream),
            [model](const std::string& instance,
                    std::uint64_t epoch) -> Result<std::shared_ptr<ServedModel>> {
              if (instance == "stories" && epoch == 1) return model;
              return Error(Errc::not_found, "no such instance");
            },
            options),
        thread([this] { result = server.serve(); }) {}
  ~Served() {
    server.close();
    if (thread.joinable()) thread.join();
  }
  Result<void>& wait() {
    thread.join();
    return result;
  }

  JobServer server;
  Result<void> result;
  std::thread thread;
};

JobClient::Options options(std::uint64_t epoch = 1) {
  return {.instance = "stories", .epoch = epoch, .vocab = 256, .width = 3, .waits = kWaits};
}

class JobConnectionTest : public testing::Test {
 protected:
  std::shared_ptr<QueueModel> model = std::make_shared<QueueModel>();
  ScriptedQueue& there = model->queue;
};

TEST_F(JobConnectionTest, ManyJobsShareAConnection) {
  ScriptedModel::Script script;
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), std::make_shared<ScriptedModel>(script));
  JobClient client(std::move(near), options());
  std::vector<std::unique_ptr<SeenAnswer>> seen;
  for (int i = 0; i < 20; ++i) {
    seen.push_back(std::make_unique<SeenAnswer>());
    ASSERT_TRUE(client.submit(seen.back()->job({.prompt = ids_of("job " + std::to_string(i))})));
  }
  for (int i = 0; i < 20; ++i) {
    SeenAnswer& one = *seen[static_cast<std::size_t>(i)];
    ASSERT_TRUE(one.wait()) << one.wait().error().message();
    EXPECT_EQ(one.text(), "ok:job " + std::to_string(i));
    EXPECT_EQ(one.tokens().size(), one.text().size());
    EXPECT_FALSE(one.held().empty());
  }
  SeenAnswer vector;
  ASSERT_TRUE(client.submit(vector.job({.prompt = ids_of("ab"), .pooling = Pooling::last})));
  ASSERT_TRUE(vector.wait());
  EXPECT_EQ(vector.wait()->hidden, (std::vector<float>{2, 'a', 'b'}));
  EXPECT_FALSE(client.lost());
}

TEST_F(JobConnectionTest, CancelsThere) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options());
  SeenAnswer seen;
  const auto id = client.submit(seen.job({.prompt = {1}}));
  there.wait_for(1);
  client.cancel(*id);
  there.wait_for_cancel(1);
  there.end(1, GenerateResult{.finish = FinishReason::cancelled});
  EXPECT_EQ(seen.wait()->finish, FinishReason::cancelled);
}

TEST_F(JobConnectionTest, TellsThePlaceInTheQueue) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options());
  SeenAnswer seen;
  const auto id = client.submit(seen.job({.prompt = {1}}));
  while (client.position(*id) != 3) std::this_thread::yield();
  there.end(1, GenerateResult{});
  seen.wait();
  EXPECT_EQ(client.position(*id), 0u);
}

// What is wrong with one job is its own matter.
TEST_F(JobConnectionTest, ErrorsComeToTheirJob) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options());
  there.refuse(Error(Errc::limit, "too long"));
  SeenAnswer refused, failed, bad;
  ASSERT_TRUE(client.submit(refused.job({.prompt = {1}})));
  EXPECT_TRUE(refused.wait().is(Errc::limit));
  EXPECT_EQ(refused.wait().error().message(), "too long");
  there.refuse(std::nullopt);
  ASSERT_TRUE(client.submit(failed.job({.prompt = {1}})));
  there.wait_for(1);
  there.end(1, Error(Errc::io, "on fire"));
  EXPECT_TRUE(failed.wait().is(Errc::io));
  ASSERT_TRUE(client.submit(bad.job({.prompt = {1}, .visible_tokens = {1000}})));
  EXPECT_TRUE(bad.wait().is(Errc::invalid_argument));
  EXPECT_FALSE(client.lost());
}

TEST_F(JobConnectionTest, ALostStageLosesTheQueue) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options());
  SeenAnswer seen;
  ASSERT_TRUE(client.submit(seen.job({.prompt = {1}})));
  there.wait_for(1);
  there.write(1, "ab");
  there.lose();
  EXPECT_TRUE(seen.wait().is(Errc::unavailable));
  EXPECT_EQ(seen.text(), "ab") << "what came before stays";
  EXPECT_TRUE(client.lost());
  EXPECT_TRUE(client.submit(seen.job({.prompt = {1}})).is(Errc::unavailable));
}

TEST_F(JobConnectionTest, AnotherEpochIsALostInstance) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options(/*epoch=*/2));
  SeenAnswer seen;
  ASSERT_TRUE(client.submit(seen.job({.prompt = {1}})));
  EXPECT_TRUE(seen.wait().is(Errc::unavailable));
  EXPECT_TRUE(client.lost());
}

TEST_F(JobConnectionTest, TheEndOfAConnectionEndsItsJobsOnBothSides) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  SeenAnswer seen;
  {
    JobClient client(std::move(near), options());
    ASSERT_TRUE(client.submit(seen.job({.prompt = {1}})));
    there.wait_for(1);
  }
  EXPECT_TRUE(seen.wait().is(Errc::unavailable));
  served.wait();
  there.wait_for_cancel(1);
  there.write(1, "too late");
  there.end(1, GenerateResult{.finish = FinishReason::cancelled});
}

// A large schema takes seconds to compile: the other requests of its node do not wait for it.
TEST_F(JobConnectionTest, ASlowConstraintHoldsUpNobodyElse) {
  auto [near, far] = make_memory_streams();
  Served served(std::move(far), model);
  JobClient client(std::move(near), options());
  const auto tokenizer = *Tokenizer::load(tiny_bpe_metadata("gpt-2"));
  GenerateRequest constrained{.prompt = {1}};
  constrained.constraint = *compile({.kind = ConstraintSpec::Kind::json_schema, .text = "{}"},
                                    ConstraintVocabulary::build(*tokenizer, tokenizer->size()));
  SeenAnswer slow, given_up, quick;
  {
    const std::lock_guard lock(model->compiling);
    ASSERT_TRUE(client.submit(slow.job(constrained)));
    const auto id = client.submit(given_up.job(constrained));
    ASSERT_TRUE(client.submit(quick.job({.prompt = {1}})));
    there.wait_for(1);
    client.cancel(*id);
    EXPECT_EQ(given_up.wait()->finish, FinishReason::cancelled);
    there.end(1, GenerateResult{});
    EXPECT_TRUE(quick.wait());
    EXPECT_FALSE(slow.over());
  }
  EXPECT_TRUE(slow.wait().is(Errc::unsupported));
}

// A frozen process keeps its connections open.
TEST_F(JobConnectionTest, SilenceLosesTheQueue) {
  auto [near, far] = make_memory_streams();
  JobClient::Options impatient = options();
  impatient.waits.silence_max = milliseconds(20);
  SeenAnswer seen;
  JobClient client(std::move(near), impatient);
  static_cast<void>(client.submit(seen.job({.prompt = {1}})));
  while (!client.lost()) std::this_thread::yield();
}

// The engine's thread must not wait for somebody's network.
TEST_F(JobConnectionTest, AReaderThatIsTooSlowIsLetGo) {
  auto [near, far] = make_memory_streams(/*capacity_bytes=*/4096);
  Served served(std::move(far), model, {.waiting_bytes_max = 64 << 10, .waits = kWaits});
  FrameStream frames(*near, {.payload_bytes_max = JobLimits::kPayloadBytesMax});
  const auto order = encode_order("stories", 1, "slow", {.prompt = {1}});
  ASSERT_TRUE(frames.write({.type = 1, .tag = 1}, {std::span<const std::byte>(order)},
                           {.within = milliseconds(1000)}));
  there.wait_for(1);
  for (int i = 0; i < 200; ++i)
    there.give(1, {.text = std::string(1000, 'x'), .tokens = {{.id = 1}}});
  EXPECT_FALSE(served.wait());
  there.wait_for_cancel(1);
  there.end(1, GenerateResult{.finish = FinishReason::cancelled});
}

// ---- Hostile peers

using Frame = std::pair<FrameHeader, std::vector<std::byte>>;

Result<void> send(DataStream& stream, const Frame& frame) {
  FrameStream frames(stream, {.payload_bytes_max = JobLimits::kPayloadBytesMax});
  return frames.write(frame.first, {std::span<const std::byte>(frame.second)},
                      {.within = milliseconds(1000)});
}

TEST_F(JobConnectionTest, AServerEndsTheConnectionOfWhoTalksNonsense) {
  const auto order = encode_order("stories", 1, "x", {.prompt = {1}});
  auto cut = order;
  cut.pop_back();
  const std::vector<std::vector<Frame>> talks = {
      {{{.type = 77, .tag = 1}, {}}},
      {{{.type = 3, .tag = 1}, order}},
      {{{.type = 1, .tag = 1}, cut}},
      {{{.type = 1, .tag = 0}, order}},
      {{{.type = 1, .tag = 5}, order}, {{.type = 1, .tag = 5}, order}},
  };
  for (std::size_t i = 0; i < talks.size(); ++i) {
    auto [near, far] = make_memory_streams();
    const auto asked = std::make_shared<QueueModel>();
    Served served(std::move(far), asked);
    for (const Frame& frame : talks[i]) static_cast<void>(send(*near, frame));
    EXPECT_TRUE(served.wait().is(Errc::corrupt)) << i;
    asked->queue.lose();  // its jobs hold the model
  }
}

TEST_F(JobConnectionTest, AClientEndsTheConnectionOfAServerThatTalksNonsense) {
  const auto type = [](JobFrame frame) { return static_cast<std::uint16_t>(frame); };
  const std::vector<Frame> talks = {
      {{.type = 77, .tag = 1}, {}},
      {{.type = type(JobFrame::delta), .tag = 2}, encode(Delta{.text = "x", .tokens = {}})},
      {{.type = type(JobFrame::delta), .tag = 1}, encode(Delta{.text = "x", .tokens = {{256}}})},
      {{.type = type(JobFrame::delta), .tag = 1},
       encode(Delta{.text = "x", .tokens = {{.id = 1, .logprob = 0, .top = {{-1, 0}}}}})},
      {{.type = type(JobFrame::delta), .tag = 1}, {}},
      {{.type = type(JobFrame::prompt), .tag = 1}, {}},
      {{.type = type(JobFrame::done), .tag = 1}, {}},
      {{.type = type(JobFrame::done), .tag = 1}, encode(GenerateResult{.hidden = {1, 2, 3}})},
      {{.type = type(JobFrame::submit), .tag = 1}, {}},
  };
  for (std::size_t i = 0; i < talks.size(); ++i) {
    auto [near, far] = make_memory_streams();
    JobClient client(std::move(near), options());
    SeenAnswer seen;
    ASSERT_TRUE(client.submit(seen.job({.prompt = {1}})));
    ASSERT_TRUE(send(*far, talks[i]));
    EXPECT_TRUE(seen.wait().is(Errc::unavailable)) << i;
    EXPECT_EQ(seen.text(), "") << i;
    EXPECT_TRUE(client.lost());
  }
}

}  // namespace
}  // namespace drystone

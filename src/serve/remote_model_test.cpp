#include "serve/remote_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "compute/cpu/cpu_device.h"
#include "engine/constraint/constraint.h"
#include "model/synth/presets.h"
#include "model/synth/synth.h"
#include "serve/engine_model.h"

namespace drystone {
namespace {

const std::filesystem::path kStories = DRYSTONE_SHARED_DIR "/data/models/stories260K.gguf";

// A queue that is somewhere else.
class NoJobs final : public JobQueue {
 public:
  Result<std::uint64_t> submit(GenerationJob) override {
    return Error(Errc::unavailable, "nobody is here");
  }
  std::size_t queue_max() const override { return 1; }
  void cancel(std::uint64_t) override {}
  void cancel_all() override {}
  std::size_t position(std::uint64_t) const override { return 0; }
};

// Whichever node a client asks, it sees the same model.
TEST(RemoteModel, SaysWhatAnEngineWouldSay) {
  if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "no model at " << kStories;
  const SystemClock clock;
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const auto engine = *Engine::load(*GgufFile::open(kStories), *device, {.context = 256});
  const auto local = make_engine_model(*engine, clock);
  const auto jobs = std::make_shared<NoJobs>();
  const auto made = make_remote_model({.metadata = engine->metadata(),
                                       .weights_bytes = local->facts().weights_bytes,
                                       .context = 256,
                                       .jobs = jobs},
                                      clock);
  ASSERT_TRUE(made) << made.error().message();
  ServedModel& remote = **made;

  EXPECT_EQ(remote.text_prompt("Once upon a time"), local->text_prompt("Once upon a time"));
  for (TokenId id = 0; id < static_cast<TokenId>(local->vocab()); ++id)
    ASSERT_EQ(remote.piece(id), local->piece(id)) << id;
  EXPECT_EQ(remote.vocab(), local->vocab());
  EXPECT_EQ(remote.width(), local->width());
  EXPECT_EQ(remote.context(), local->context());
  EXPECT_EQ(remote.facts().family, local->facts().family);
  EXPECT_EQ(remote.facts().weights_bytes, local->facts().weights_bytes);
  EXPECT_EQ(remote.writes(), local->writes());
  EXPECT_EQ(remote.pooling().has_value(), local->pooling().has_value());
  EXPECT_EQ(remote.chat_prompt({}).has_value(), local->chat_prompt({}).has_value());
  const auto constraint = remote.compile({.kind = Constraint::Kind::regex, .text = "[a-z]+"});
  ASSERT_TRUE(constraint) << constraint.error().message();
  EXPECT_EQ((*constraint)->spec().text, "[a-z]+");
  EXPECT_TRUE((*constraint)->vocabulary().visible().empty());
  EXPECT_EQ((*constraint)->vocabulary().mask_words(), engine->vocabulary()->mask_words());
  EXPECT_TRUE(remote.compile_spec((*constraint)->spec(), /*calls=*/true));
  EXPECT_EQ(&remote.jobs(), jobs.get());
}

// A ranking model's head is applied where the client asked, wherever the hidden states come from.
TEST(RemoteModel, RanksAsAnEngineDoes) {
  SynthModel synth = find_preset("tiny-qwen3")->model;
  synth.config.pooling = PoolingType::rank;
  synth.config.classes = {"yes", "no"};
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("remote-{}.gguf", getpid());
  ThreadPool pool(1);
  ASSERT_TRUE(write_synth(synth, *find_mixture("q8_0"), path, pool, {}));
  const SystemClock clock;
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const auto engine = *Engine::load(*GgufFile::open(path), *device, {.context = 256});
  const auto local = make_engine_model(*engine, clock);
  auto classifier = Classifier::of(*GgufFile::open(path));
  std::filesystem::remove(path);
  ASSERT_TRUE(classifier) << classifier.error().message();
  const auto made = make_remote_model({.metadata = engine->metadata(),
                                       .context = 256,
                                       .jobs = std::make_shared<NoJobs>(),
                                       .classifier = *std::move(classifier)},
                                      clock);
  ASSERT_TRUE(made) << made.error().message();
  const auto prompt = (*made)->rank_prompt("what", "a wall");
  ASSERT_TRUE(prompt) << prompt.error().message();
  EXPECT_EQ(*prompt, *local->rank_prompt("what", "a wall"));
  std::vector<float> hidden(local->width());
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = static_cast<float>(i % 7) - 3;
  EXPECT_EQ((*made)->relevance(hidden), local->relevance(hidden));
  EXPECT_GT((*made)->relevance(hidden), 0);
  EXPECT_FALSE((*made)->writes());
}

TEST(RemoteModel, NeedsTheKeysThatItReads) {
  const SystemClock clock;
  EXPECT_TRUE(make_remote_model({.jobs = std::make_shared<NoJobs>()}, clock).is(Errc::not_found));
}

}  // namespace
}  // namespace drystone

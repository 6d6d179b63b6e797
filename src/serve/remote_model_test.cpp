#include "serve/remote_model.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "compute/cpu/cpu_device.h"
#include "engine/constraint/constraint.h"
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

TEST(RemoteModel, NeedsTheKeysThatItReads) {
  const SystemClock clock;
  EXPECT_TRUE(make_remote_model({.jobs = std::make_shared<NoJobs>()}, clock).is(Errc::not_found));
}

}  // namespace
}  // namespace drystone

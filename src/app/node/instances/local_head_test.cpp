#include "app/node/instances/local_head.h"

#include <gtest/gtest.h>

#include <future>

#include "app/load/demo_model.h"
#include "app/load/load_engine.h"
#include "app/load/open_model.h"
#include "engine/constraint/constraint.h"
#include "serve/remote_model.h"

namespace drystone {
namespace {

// To compile it once more for the engine may take seconds, on a thread that others wait for.
TEST(LocalHead, TakesTheConstraintsOfItsOwnNodeAsTheyAre) {
  auto file = open_model(kDemoModelName);
  if (!file) GTEST_SKIP() << "this build has no pebble";
  const SystemClock clock;
  auto device = *make_device(1);
  auto engine = *Engine::load(*std::move(file), *device, {.context = 256});
  const Metadata metadata = engine->metadata();
  const auto head = std::make_shared<LocalHead>(std::move(device), std::move(engine), clock,
                                                std::function<void()>());
  const auto asked = make_remote_model(
      {.metadata = metadata, .context = 256, .jobs = {head, &head->jobs()}}, clock);
  ASSERT_TRUE(asked) << asked.error().message();
  const auto constraint =
      (*asked)->compile({.kind = Constraint::Kind::regex, .text = "(stone|wall){3}"});
  ASSERT_TRUE(constraint) << constraint.error().message();
  const std::size_t masks = (*constraint)->cache_bytes();

  std::string text;
  std::promise<Result<GenerateResult>> done;
  GenerateRequest request{.prompt = (*asked)->text_prompt("Once upon a time"),
                          .tokens_max = 50,
                          .sampling = {.temperature = 0},
                          .constraint = *constraint};
  const auto id = (*asked)->jobs().submit(
      {.client = "test",
       .request = std::move(request),
       .on_delta = [&](const Delta& delta) { text += delta.text; },
       .on_done = [&](Result<GenerateResult> result) { done.set_value(std::move(result)); }});
  ASSERT_TRUE(id) << id.error().message();
  const auto result = done.get_future().get();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_TRUE(text.starts_with("stone") || text.starts_with("wall")) << text;
  EXPECT_GT((*constraint)->cache_bytes(), masks) << "it worked with another one";
}

}  // namespace
}  // namespace drystone

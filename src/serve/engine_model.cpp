#include "serve/engine_model.h"

#include <algorithm>

#include "engine/batch_thread.h"
#include "serve/header_model.h"

namespace drystone {

namespace {

class EngineModel final : public HeaderModel {
 public:
  EngineModel(Engine& engine, const Clock& clock)
      : HeaderModel(header_of(engine), clock), engine_(engine) {}

  // As far as the cache can hold one request.
  std::uint32_t context() const override {
    const BatcherCounts counts = engine_.batcher().counts();
    return std::min(engine_.context(), counts.pages * counts.page_tokens);
  }
  JobQueue& jobs() override { return engine_.batcher(); }

 private:
  static Header header_of(Engine& engine) {
    return {.metadata = engine.metadata(),
            .tokenizer = engine.tokenizer(),
            .chat_template = engine.chat_template(),
            .chat_template_error = engine.chat_template_error(),
            .pooling = engine.pooling_type(),
            .classifier = engine.classifier(),
            .vocab = engine.vocab(),
            .width = engine.width(),
            .weights_bytes = static_cast<std::uint64_t>(engine.memory().weights),
            .vocabulary = [&engine] { return engine.vocabulary(); }};
  }

  Engine& engine_;
  BatchThread thread_{engine_.batcher()};
};

}  // namespace

std::unique_ptr<ServedModel> make_engine_model(Engine& engine, const Clock& clock) {
  return std::make_unique<EngineModel>(engine, clock);
}

}  // namespace drystone

#include "engine/loaded_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/constraint/vocabulary.h"

namespace drystone {

BatchingEngine::BatchingEngine(Parts parts)
    : parts_(std::move(parts)),
      batcher_(*parts_.pipe, *parts_.tokenizer, clock_,
               {.vocab = parts_.vocab,
                .width = parts_.width,
                .context = parts_.context,
                .batch_tokens_max = parts_.batch_tokens_max,
                .sequences_max = parts_.sequences_max,
                .queue_max = parts_.queue_max,
                .draft_rows_max = parts_.draft_rows_max,
                .stall = parts_.stall},
               parts_.tier.get()) {}

Result<GenerateResult> BatchingEngine::generate(const GenerateRequest& request,
                                                const std::function<void(const Delta&)>& sink,
                                                std::stop_token stop) {
  std::optional<Result<GenerateResult>> result;
  const std::uint64_t id = TRY(batcher_.submit(
      {.request = request, .on_delta = sink, .on_done = [&](Result<GenerateResult> done) {
         result = std::move(done);
       }}));
  while (!result) {
    if (stop.stop_requested()) batcher_.cancel(id);
    batcher_.step();
  }
  return *std::move(result);
}

std::shared_ptr<const ConstraintVocabulary> BatchingEngine::vocabulary() {
  std::call_once(vocabulary_made_, [&] {
    vocabulary_ = ConstraintVocabulary::build(*parts_.tokenizer, parts_.vocab);
  });
  return vocabulary_;
}

Result<void> BatchingEngine::logits(
    std::span<const TokenId> ids, const std::function<Result<void>(std::span<const float>)>& sink) {
  return batcher_.logits(ids, std::min(parts_.batch_tokens_max, parts_.logit_rows_max), sink);
}

}  // namespace drystone

#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "engine/batcher.h"
#include "engine/classifier.h"
#include "engine/engine.h"

namespace drystone {

// A model on one device.
class BatchingEngine final : public Engine {
 public:
  struct Parts {
    GgufFile file;
    std::unique_ptr<Tokenizer> tokenizer;
    std::unique_ptr<ChatTemplate> chat_template;
    std::string chat_template_error;
    std::optional<PoolingType> pooling_type;
    std::unique_ptr<Classifier> classifier;
    std::unique_ptr<DeviceStage> stage;  // null: the pipe has its own
    std::unique_ptr<StepPipe> pipe;
    std::unique_ptr<PageTier> tier;  // of the stage; may be null
    StageMemory memory;              // of this machine
    std::uint32_t vocab, width, context, batch_tokens_max, logit_rows_max, sequences_max;
    std::size_t queue_max;
    std::uint32_t draft_rows_max;
    double stall;
  };
  explicit BatchingEngine(Parts parts);

  Result<GenerateResult> generate(const GenerateRequest& request,
                                  const std::function<void(const Delta&)>& sink,
                                  std::stop_token stop) override;
  Result<void> logits(std::span<const TokenId> ids,
                      const std::function<Result<void>(std::span<const float>)>& sink) override;
  Batcher& batcher() override { return batcher_; }
  std::shared_ptr<const ConstraintVocabulary> vocabulary() override;

  const Tokenizer& tokenizer() const override { return *parts_.tokenizer; }
  const ChatTemplate* chat_template() const override { return parts_.chat_template.get(); }
  const std::string& chat_template_error() const override { return parts_.chat_template_error; }
  const Metadata& metadata() const override { return parts_.file.metadata(); }
  std::optional<PoolingType> pooling_type() const override { return parts_.pooling_type; }
  const Classifier* classifier() const override { return parts_.classifier.get(); }
  std::uint32_t context() const override { return parts_.context; }
  std::uint32_t width() const override { return parts_.width; }
  std::uint32_t vocab() const override { return parts_.vocab; }
  StageMemory memory() const override { return parts_.memory; }

 private:
  Parts parts_;
  SystemClock clock_;
  Batcher batcher_;
  std::once_flag vocabulary_made_;
  std::shared_ptr<const ConstraintVocabulary> vocabulary_;
};

}  // namespace drystone

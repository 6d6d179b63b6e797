#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/page_allocator.h"
#include "engine/sequence.h"
#include "engine/text_output.h"

namespace drystone {

// A model on one device, run a request at a time over one sequence. The prompt rows of the last
// request stay in the cache, so that a request which begins with the same tokens computes only the
// rest.
class LoadedEngine final : public Engine {
 public:
  struct Parts {
    GgufFile file;
    std::unique_ptr<Tokenizer> tokenizer;
    std::unique_ptr<ChatTemplate> chat_template;
    std::string chat_template_error;
    std::unique_ptr<DeviceStage> stage;
    std::uint32_t vocab, context, batch_tokens_max, logit_rows_max;
  };
  explicit LoadedEngine(Parts parts);

  Result<GenerateResult> generate(const GenerateRequest& request,
                                  const std::function<void(const Delta&)>& sink,
                                  std::stop_token stop) override;
  Result<void> logits(std::span<const TokenId> ids,
                      const std::function<Result<void>(std::span<const float>)>& sink) override;

  const Tokenizer& tokenizer() const override { return *parts_.tokenizer; }
  const ChatTemplate* chat_template() const override { return parts_.chat_template.get(); }
  const std::string& chat_template_error() const override { return parts_.chat_template_error; }
  const Metadata& metadata() const override { return parts_.file.metadata(); }
  std::uint32_t context() const override { return parts_.context; }
  std::uint32_t vocab() const override { return parts_.vocab; }
  StageMemory memory() const override { return parts_.stage->memory(); }

 private:
  enum class Logits { none, last, all };
  Result<void> check_ids(std::span<const TokenId> ids) const;
  // Appends rows to the sequence; the logits that were asked for, valid until the next step.
  Result<std::span<const float>> step(std::span<const TokenId> ids, RowKind kind, Logits logits);
  // Logits after the prompt, or nothing when `stop` came first.
  Result<std::span<const float>> prefill(std::span<const TokenId> prompt,
                                         const std::stop_token& stop);
  Result<FinishReason> decode(const GenerateRequest& request, std::span<const float> logits,
                              TextOutput& output, const std::stop_token& stop,
                              std::uint32_t& completion_tokens);

  Parts parts_;
  PageAllocator pages_;
  Sequence sequence_;
  SystemClock clock_;
};

}  // namespace drystone

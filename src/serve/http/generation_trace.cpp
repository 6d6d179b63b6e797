#include "serve/http/generation_trace.h"

#include <algorithm>
#include <utility>

namespace drystone {

namespace {

std::string_view name_of(FinishReason finish) {
  switch (finish) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "abort";
  }
  return "error";
}

}  // namespace

GenerationTrace::GenerationTrace(std::shared_ptr<RequestTrace> trace) : trace_(std::move(trace)) {
  if (trace_ == nullptr) return;
  ++trace_->record.generations;
  start_s_ = now_s();
}

double GenerationTrace::now_s() const { return seconds(trace_->clock->monotonic()); }

void GenerationTrace::came(const Delta& delta) {
  if (trace_ == nullptr) return;
  const double now = now_s();
  if (trace_->record.first_text_s < 0) trace_->record.first_text_s = now - start_s_;
  if (last_s_ >= 0 && !delta.tokens.empty() && trace_->observer != nullptr)
    trace_->observer->text_came(trace_->record.model, now - last_s_, delta.tokens.size());
  last_s_ = now;
  tokens_ += delta.tokens.size();
}

void GenerationTrace::over(const Result<GenerateResult>& result) {
  const auto trace = std::exchange(trace_, nullptr);
  if (trace == nullptr) return;
  RequestRecord& record = trace->record;
  record.generate_s = seconds(trace->clock->monotonic()) - start_s_;
  record.finish = result ? name_of(result->finish) : "error";
  record.completion_tokens += result ? result->completion_tokens : tokens_;
  if (!result) return;
  record.prompt_tokens += result->prompt_tokens;
  record.cached_tokens += result->cached_tokens;
  record.queue_s = result->queue_s;
  record.prefill_s = result->prefill_s;
  record.decode_s = result->decode_s;
}

void GenerationTrace::abandoned() {
  over(GenerateResult{.finish = FinishReason::cancelled,
                      .completion_tokens = static_cast<std::uint32_t>(tokens_)});
}

}  // namespace drystone

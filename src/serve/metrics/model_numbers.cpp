#include "serve/metrics/model_numbers.h"

namespace drystone {
namespace {

constexpr double kSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75,
                               1,     2.5,    5,     7.5,  10,    20,   40,  80,   160, 640};
constexpr double kGapSeconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,
                                  0.15,   0.2,   0.3,    0.4,   0.5,  0.75,  1,    2.5,   5};
constexpr double kTokens[] = {1,   2,    5,    10,   20,    50,    100,   200,
                              500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

void observe_if(Histogram& histogram, double value) {
  if (value >= 0) histogram.observe(value);
}

}  // namespace

ModelNumbers::ModelNumbers()
    : first_token(kSeconds),
      inter_token(kGapSeconds),
      per_output_token(kGapSeconds),
      e2e(kSeconds),
      queue(kSeconds),
      prefill(kSeconds),
      decode(kSeconds),
      prompt_length(kTokens),
      output_length(kTokens) {}

void ModelNumbers::text_came(double gap_s, std::size_t tokens) {
  inter_token.observe(gap_s / static_cast<double>(tokens), tokens);
}

void ModelNumbers::request_over(const RequestRecord& record) {
  prompt_tokens.add(record.prompt_tokens);
  cached_tokens.add(record.cached_tokens);
  generation_tokens.add(record.completion_tokens);
  for (std::size_t i = 0; i < kFinishes.size(); ++i)
    if (record.finish == kFinishes[i]) finished[i].add();
  observe_if(first_token, record.first_text_s);
  observe_if(e2e, record.generate_s);
  observe_if(queue, record.queue_s);
  observe_if(prefill, record.prefill_s);
  observe_if(decode, record.decode_s);
  if (record.prompt_tokens > 0) prompt_length.observe(static_cast<double>(record.prompt_tokens));
  if (record.completion_tokens > 0)
    output_length.observe(static_cast<double>(record.completion_tokens));
  if (record.completion_tokens > 1 && record.first_text_s >= 0)
    per_output_token.observe((record.generate_s - record.first_text_s) /
                             static_cast<double>(record.completion_tokens - 1));
}

}  // namespace drystone

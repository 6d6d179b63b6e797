#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "engine/constraint/constraint.h"
#include "engine/generation_job.h"
#include "engine/ngram_draft.h"
#include "engine/pooling.h"
#include "engine/sampler.h"
#include "engine/sequence.h"
#include "engine/text_output.h"

namespace drystone {

// One request of a Batcher from its admission to its end: its tokens, which of them the cache
// holds, and what turns logits into text.
class RunningRequest {
 public:
  struct Context {
    PagePool& pool;
    bool kinds_agree;
    const Tokenizer& tokenizer;
    std::uint32_t vocab, width, context;
    std::span<const std::uint64_t> end_tokens;  // bit id % 64 of word id / 64
  };
  // Errors: invalid_argument (sampling options; an answer so far that does not fit its constraint).
  static Result<std::unique_ptr<RunningRequest>> create(const Context& context, std::uint64_t id,
                                                        GenerationJob job);

  std::uint64_t id() const { return id_; }
  std::int32_t priority() const { return job_.request.priority; }
  Sequence& sequence() { return sequence_; }
  const Sequence& sequence() const { return sequence_; }
  std::span<const SequenceToken> tokens() const { return tokens_; }

  // Tokens that the cache does not hold yet: never none.
  std::span<const SequenceToken> rest() const {
    return std::span(tokens_).subspan(sequence_.size());
  }
  // Of those, the ones that are in no step on its way either; planned_size(): where they begin.
  std::span<const SequenceToken> unplanned() const { return rest().subspan(own_rows_started_); }
  std::uint32_t planned_size() const { return sequence_.size() + own_rows_started_; }
  bool on_the_way() const { return rows_started_ > 0; }
  // The next `rows` rows, guesses among them, are in a step that has started.
  void start(std::uint32_t rows);
  // That step has ended: the cache holds them. Guesses count once take_logits() finds them right.
  void take_rows(std::uint32_t rows);

  // All but the last sampled token stands in the cache: one row gives the next token.
  bool writing() const { return tokens_.size() > prompt_size_ && rest().size() == 1; }
  // Set: it wants one vector instead of text.
  std::optional<HiddenPool>& pool() { return pool_; }
  const std::optional<HiddenPool>& pool() const { return pool_; }
  // A mean of hidden states, which no cache has.
  bool needs_all_rows() const { return pool_ && pool_->pooling() == Pooling::mean; }
  // What it wants of the next `rows` rows of its prompt.
  RowOutput output_of(std::uint32_t rows) const;
  // All of it will have to be computed again.
  void give_back();

  // How many of the next rows are of one kind.
  std::uint32_t rows_of_next_kind() const;

  // Guesses at most `limit` tokens that may follow; fewer where the answer has to end.
  void guess(std::uint32_t limit);
  std::span<const TokenId> guessed() const { return guessed_; }
  void forget_guess() { guessed_.clear(); }

  // The logits, f32 [1 + guessed, vocab], behind the last token, all of which the cache holds, and
  // behind each guessed one. Takes a token for each guess that was right, and one more. Set: why
  // the answer is over.
  Result<std::optional<FinishReason>> take_logits(std::span<const float> logits);

  // Why the answer can have no more tokens; nullopt: it can.
  std::optional<FinishReason> over() const;
  // What was held back, at the end.
  void flush() { output_.finish(); }
  // The figures of the answer, whose times the caller fills in. After flush(), which may find that
  // a stop string ended it.
  GenerateResult result(FinishReason finish) const;
  // Tells how much of the prompt the cache holds, if that is news.
  void report_prompt();
  void done(Result<GenerateResult> result) { job_.on_done(std::move(result)); }

  Clock::Nanoseconds submitted{}, admitted{}, first_token{};
  std::uint32_t cached_tokens = 0, preemptions = 0;
  std::uint32_t guessed_tokens = 0, right_tokens = 0;

 private:
  Result<void> go_on();
  Result<std::optional<FinishReason>> take_token(std::span<const float> logits);
  // Which tokens may come next, in the sampler's form.
  Result<std::span<const std::uint64_t>> allowed();
  RunningRequest(const Context& context, std::uint64_t id, GenerationJob job, Sampler sampler);

  const std::uint64_t id_;
  GenerationJob job_;
  const Tokenizer& tokenizer_;
  const std::uint32_t vocab_;
  const std::span<const std::uint64_t> end_tokens_;
  std::vector<SequenceToken> tokens_;
  const std::uint32_t prompt_size_, tokens_max_;
  Sequence sequence_;
  std::optional<HiddenPool> pool_;
  Sampler sampler_;
  TextOutput output_;
  std::optional<ConstraintState> constraint_;
  std::vector<std::uint64_t> allowed_;
  std::optional<TokenId> stop_token_;  // that came
  NgramDraft draft_;
  std::vector<TokenId> guessed_;
  std::uint32_t rows_started_ = 0, own_rows_started_ = 0;  // the second without guesses
  std::optional<std::uint32_t> reported_;                  // by report_prompt()
};

}  // namespace drystone

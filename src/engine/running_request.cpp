#include "engine/running_request.h"

#include <algorithm>

namespace drystone {

Result<std::unique_ptr<RunningRequest>> RunningRequest::create(const Context& context,
                                                               std::uint64_t id,
                                                               GenerationJob job) {
  Sampler sampler = TRY(Sampler::create(job.request.sampling, context.vocab));
  sampler.observe_prompt(job.request.prompt);
  std::unique_ptr<RunningRequest> request(
      new RunningRequest(context, id, std::move(job), std::move(sampler)));
  TRY(request->go_on());
  return request;
}

RunningRequest::RunningRequest(const Context& context, std::uint64_t id, GenerationJob job,
                               Sampler sampler)
    : id_(id),
      job_(std::move(job)),
      tokenizer_(context.tokenizer),
      vocab_(context.vocab),
      end_tokens_(context.end_tokens),
      prompt_size_(static_cast<std::uint32_t>(job_.request.prompt.size())),
      tokens_max_(job_.request.tokens_max == 0
                      ? context.context - prompt_size_
                      : std::min(job_.request.tokens_max, context.context - prompt_size_)),
      sequence_(context.pool, context.kinds_agree, job_.request.cache_salt),
      sampler_(std::move(sampler)),
      output_(context.tokenizer, job_.request.stop, job_.request.visible_tokens, job_.on_delta) {
  if (job_.request.pooling) pool_.emplace(*job_.request.pooling, context.width);
  if (job_.request.constraint != nullptr) constraint_.emplace(job_.request.constraint);
  tokens_.reserve(prompt_size_ + job_.request.written.size() + 1);
  for (const TokenId token : job_.request.prompt) {
    tokens_.push_back({token, RowKind::prompt});
    if (!pool_) draft_.push(token);
  }
}

// All that depends on the answer so far comes to where it was.
Result<void> RunningRequest::go_on() {
  for (const TokenId token : job_.request.written) {
    sampler_.follow(token);
    if (constraint_ && !constraint_->accept(token))
      return Error(Errc::invalid_argument,
                   "the answer so far does not fit its constraint, so it cannot go on");
    tokens_.push_back({token, RowKind::generated});
    draft_.push(token);
    output_.push({.id = token, .logprob = 0, .top = {}});
  }
  return {};
}

RowOutput RunningRequest::output_of(std::uint32_t rows) const {
  const bool ends = rows == unplanned().size();
  if (!pool_) return ends ? RowOutput::last_logits : RowOutput::none;
  if (needs_all_rows()) return RowOutput::all_hidden;
  return ends ? RowOutput::last_hidden : RowOutput::none;
}

void RunningRequest::give_back() {
  sequence_.truncate(0);
  if (pool_) pool_->clear();
}

std::uint32_t RunningRequest::rows_of_next_kind() const {
  const auto left = static_cast<std::uint32_t>(unplanned().size());
  return planned_size() < prompt_size_ ? std::min(left, prompt_size_ - planned_size()) : left;
}

void RunningRequest::start(std::uint32_t rows) {
  rows_started_ += rows;
  own_rows_started_ += rows - static_cast<std::uint32_t>(guessed_.size());
}

void RunningRequest::take_rows(std::uint32_t rows) {
  const auto own = rows - static_cast<std::uint32_t>(guessed_.size());
  CHECK(rows <= rows_started_ && own <= own_rows_started_, rows, rows_started_);
  rows_started_ -= rows;
  own_rows_started_ -= own;
  sequence_.append(rest().first(own));
}

void RunningRequest::guess(std::uint32_t limit) {
  const auto left = prompt_size_ + tokens_max_ - static_cast<std::uint32_t>(tokens_.size());
  guessed_ = draft_.guess(std::min(limit, left - 1));
}

Result<std::optional<FinishReason>> RunningRequest::take_logits(std::span<const float> logits) {
  const auto guesses = static_cast<std::uint32_t>(guessed_.size());
  std::uint32_t right = 0;
  auto over = take_token(logits.first(vocab_));
  while (over && !*over && right < guesses && tokens_.back().id == guessed_[right])
    over = take_token(logits.subspan(std::size_t{vocab_} * ++right, vocab_));
  sequence_.append(std::span(tokens_).subspan(sequence_.size(), right));
  if (guesses > 0) draft_.judge(guesses, right);
  guessed_tokens += guesses;
  right_tokens += right;
  guessed_.clear();
  return over;
}

Result<std::span<const std::uint64_t>> RunningRequest::allowed() {
  const bool too_early = tokens_.size() - prompt_size_ < job_.request.tokens_min;
  if (!constraint_ && !too_early) return std::span<const std::uint64_t>();
  allowed_.assign(end_tokens_.size(), ~std::uint64_t{0});
  if (constraint_) TRY(constraint_->fill_mask(allowed_));
  // A text that is complete ends, however short.
  if (too_early && !(constraint_ && constraint_->must_end()))
    for (std::size_t word = 0; word < allowed_.size(); ++word) allowed_[word] &= ~end_tokens_[word];
  return std::span<const std::uint64_t>(allowed_);
}

Result<std::optional<FinishReason>> RunningRequest::take_token(std::span<const float> logits) {
  const GenerateRequest& request = job_.request;
  Sampled sampled = TRY(sampler_.sample(logits, request.top_logprobs, TRY(allowed())));
  const TokenId token = sampled.id;
  // The mask looks at parses one by one, accept() follows all at once and within a bound.
  if (constraint_ && !constraint_->accept(token))
    return Error(Errc::limit,
                 "the grammar has too many ways to read what was written so far; fewer rules that "
                 "begin alike are followed further");
  if (!request.ignore_eos && tokenizer_.is_end_of_generation(token))
    return std::optional(FinishReason::stop);
  if (std::ranges::find(request.stop_tokens, token) != request.stop_tokens.end()) {
    stop_token_ = token;
    return std::optional(FinishReason::stop);
  }
  tokens_.push_back({token, RowKind::generated});
  draft_.push(token);
  output_.push(std::move(sampled));
  return over();
}

std::optional<FinishReason> RunningRequest::over() const {
  if (output_.stopped()) return FinishReason::stop;
  if (constraint_ && constraint_->must_end()) return FinishReason::stop;
  if (tokens_.size() - prompt_size_ == tokens_max_) return FinishReason::length;
  return std::nullopt;
}

GenerateResult RunningRequest::result(FinishReason finish) const {
  const bool cut = finish == FinishReason::length && output_.stopped();
  GenerateResult result{
      .finish = cut ? FinishReason::stop : finish,
      .stop = output_.stop(),
      .stop_token = stop_token_,
      .prompt_tokens = prompt_size_,
      .completion_tokens = static_cast<std::uint32_t>(tokens_.size()) - prompt_size_,
      .cached_tokens = std::min(cached_tokens, prompt_size_)};
  if (pool_ && finish == FinishReason::stop) result.hidden = pool_->vector();
  return result;
}

void RunningRequest::report_prompt() {
  const std::uint32_t held = std::min(sequence_.size(), prompt_size_);
  if (!job_.on_prompt || (reported_ && held <= *reported_)) return;
  reported_ = held;
  job_.on_prompt(held);
}

}  // namespace drystone

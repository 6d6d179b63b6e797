#include "engine/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "engine/constraint/constraint.h"

namespace drystone {
namespace {

// Pages that a step copies ahead of their eviction.
constexpr int kStoredAhead = 2;
// While nothing runs, how long a new request may wait for the tier.
constexpr std::chrono::milliseconds kStoreWait{10};

}  // namespace

Batcher::Batcher(StepPipe& pipe, const Tokenizer& tokenizer, const Clock& clock,
                 BatcherOptions options, PageTier* tier)
    : pipe_(pipe),
      tokenizer_(tokenizer),
      clock_(clock),
      options_(options),
      kinds_agree_(pipe.kinds_agree()),
      tier_(tier),
      pool_(pipe.page_count(), pipe.page_tokens(), tier),
      sequence_max_(static_cast<std::uint32_t>(std::min<std::uint64_t>(
          options.context, std::uint64_t{pool_.pages()} * pool_.page_tokens()))),
      step_pace_(options.stall),
      intake_(clock, options.queue_max, options.sequences_max) {
  CHECK(options_.sequences_max >= 1 && options_.sequences_max <= options_.batch_tokens_max,
        options_.sequences_max, options_.batch_tokens_max);
  end_tokens_.resize((options_.vocab + 63) / 64);
  for (std::uint32_t id = 0; id < options_.vocab; ++id)
    if (tokenizer.is_end_of_generation(static_cast<TokenId>(id)))
      end_tokens_[id / 64] |= std::uint64_t{1} << id % 64;
  counts_.pages = pool_.pages();
  counts_.page_tokens = pool_.page_tokens();
  if (tier_ != nullptr) counts_.tier = tier_->counts();
}

Batcher::~Batcher() {
  cancel_all();
  drop_cancelled();
  CHECK(pool_.in_use() == 0, pool_.in_use());
}

Result<void> Batcher::check_ids(std::span<const TokenId> ids) const {
  if (ids.empty())
    return Error(Errc::invalid_argument, "the prompt is empty: expected at least one token");
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<std::uint32_t>(ids[i]) >= options_.vocab)
      return Error(Errc::invalid_argument,
                   fmt::format("token {} of the prompt is {}: expected 0 to {}", i, ids[i],
                               options_.vocab - 1));
  return {};
}

Result<void> Batcher::logits(std::span<const TokenId> ids, std::size_t rows_max,
                             const std::function<Result<void>(std::span<const float>)>& sink) {
  CHECK(running_.empty() && interrupted_.empty(), running_.size());
  TRY(check_ids(ids));
  if (ids.size() > sequence_max_)
    return Error(Errc::limit, fmt::format("{} tokens do not fit into the context of {}", ids.size(),
                                          sequence_max_));
  Sequence sequence(pool_, kinds_agree_);
  while (sequence.size() < ids.size()) {
    const auto chunk =
        ids.subspan(sequence.size(), std::min(ids.size() - sequence.size(), rows_max));
    std::vector<SequenceToken> tokens;
    for (const TokenId id : chunk) tokens.push_back({id, RowKind::prompt});
    const auto rows = static_cast<std::uint32_t>(chunk.size());
    CHECK(sequence.reserve(sequence.size() + rows), rows);  // nobody else holds pages
    const Segment segment{.rows = rows,
                          .position = sequence.size(),
                          .kind = RowKind::prompt,
                          .pages = sequence.pages(),
                          .output = RowOutput::all_logits};
    TRY(pipe_.start({.segments = {&segment, 1}, .tokens = chunk}));
    TRY(sink(TRY(pipe_.finish()).logits));
    sequence.append(tokens);
  }
  return {};
}

std::string Batcher::too_long(const GenerateRequest& request) const {
  const std::string_view what = request.pooling ? "it" : "it and an answer";
  if (sequence_max_ == options_.context)
    return fmt::format("the prompt has {} tokens; the context of {} must hold {}",
                       request.prompt.size(), options_.context, what);
  return fmt::format(
      "the prompt has {} tokens; the cache of {} pages of {} tokens, {} together, must hold {} "
      "(the context is {})",
      request.prompt.size(), pool_.pages(), pool_.page_tokens(), sequence_max_, what,
      options_.context);
}

Result<void> Batcher::check_written(const GenerateRequest& request) const {
  if (request.written.empty()) return {};
  TRY(check_ids(request.written));
  if (!request.pooling && (request.tokens_max == 0 || request.written.size() <= request.tokens_max))
    return {};
  return Error(Errc::invalid_argument,
               fmt::format("the answer so far has {} tokens; expected at most {}",
                           request.written.size(), request.pooling ? 0 : request.tokens_max));
}

Result<void> Batcher::check_constraint(const GenerateRequest& request) const {
  if (request.constraint == nullptr || request.constraint->vocabulary().size() == options_.vocab)
    return {};
  return Error(Errc::invalid_argument,
               fmt::format("the constraint was made for {} tokens; the model has {}",
                           request.constraint->vocabulary().size(), options_.vocab));
}

Result<std::uint64_t> Batcher::submit(GenerationJob job) {
  const GenerateRequest& request = job.request;
  TRY(check_ids(request.prompt));
  TRY(check_written(request));
  TRY(check_constraint(request));
  if (request.prompt.size() + request.written.size() + (request.pooling ? 0 : 1) > sequence_max_)
    return Error(Errc::limit, too_long(request));
  TRY(Sampler::create(request.sampling, options_.vocab));
  // Under one lock: what came in behind the end of all others would never end.
  const std::lock_guard lock(mutex_);
  if (lost_) return *lost_;
  return intake_.push(std::move(job));
}

std::size_t Batcher::position(std::uint64_t id) const {
  const auto before = intake_.position(id);
  if (!before) return 0;
  const std::lock_guard lock(mutex_);
  return interrupted_count_ + *before;
}

bool Batcher::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_.has_value();
}

Result<void> Batcher::still_there() const {
  const std::lock_guard lock(mutex_);
  if (lost_) return *lost_;
  return {};
}

BatcherCounts Batcher::counts() const {
  const std::size_t waiting = intake_.waiting();
  const std::lock_guard lock(mutex_);
  BatcherCounts counts = counts_;
  counts.waiting = static_cast<std::uint32_t>(waiting + interrupted_count_);
  return counts;
}

void Batcher::wait(const std::stop_token& stop) {
  while (tier_ != nullptr && !stop.stop_requested() && intake_.empty()) {
    const bool room = tier_->wait_for_room(kStoreWait), stored = pool_.store_ahead();
    const std::lock_guard lock(mutex_);
    counts_.tier = tier_->counts();
    if (room && !stored) break;
  }
  intake_.wait(stop);
}

bool Batcher::step() {
  drop_cancelled();
  admit();
  plan();
  const bool something = !running_.empty();
  // Lost while steps on their way were ended to make room: who has come in ends as well.
  Result<void> result = still_there();
  bool started = false;
  if (result && !planned_.parts.empty()) {
    result = start_planned();
    started = true;
  }
  if (result && !on_the_way_.empty() && (!started || on_the_way_.size() == pipe_.lanes()))
    result = finish_oldest();
  if (!result) fail_all(result.error());
  for (int i = 0; i < kStoredAhead && pool_.store_ahead(); ++i) {
  }
  const std::lock_guard lock(mutex_);
  counts_.running = static_cast<std::uint32_t>(running_.size());
  counts_.pages_in_use = pool_.in_use();
  if (tier_ != nullptr) counts_.tier = tier_->counts();
  interrupted_count_ = interrupted_.size();
  return something;
}

void Batcher::drop_cancelled() {
  const std::set<std::uint64_t> ids = intake_.take_cancelled();
  if (ids.empty()) return;
  drain();  // their pages are written to by steps on their way
  const auto drop = [&](auto& requests) {
    for (std::size_t i = requests.size(); i-- > 0;) {
      if (!ids.contains(requests[i]->id())) continue;
      const auto request = std::move(requests[i]);
      requests.erase(requests.begin() + static_cast<std::ptrdiff_t>(i));
      // Text that was held back stays so: more tokens might have made something else of it.
      finish(*request, request->result(FinishReason::cancelled));
    }
  };
  drop(running_);
  drop(interrupted_);
}

void Batcher::finish(RunningRequest& request, Result<GenerateResult> result) {
  request.sequence().truncate(0);
  intake_.over(request.id());
  {
    const std::lock_guard lock(mutex_);
    counts_.pages_in_use = pool_.in_use();
  }
  if (result) {
    const auto now = clock_.monotonic();
    const auto first = request.first_token.count() != 0 ? request.first_token : now;
    result->queue_s = seconds(request.admitted - request.submitted);
    result->prefill_s = seconds(first - request.admitted);
    result->decode_s = seconds(now - first);
  }
  request.done(std::move(result));
}

// A stage is lost. Whoever asked can ask again elsewhere, with what was written so far.
void Batcher::fail_all(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    lost_ = error;
  }
  on_the_way_.clear();
  planned_.parts.clear();
  for (auto& request : std::exchange(running_, {})) finish(*request, error);
  for (auto& request : std::exchange(interrupted_, {})) finish(*request, error);
  while (auto taken = intake_.take()) {
    intake_.over(taken->id);
    taken->job.on_done(error);
  }
}

// ---- The step

Result<void> Batcher::start_planned() {
  Step& step = on_the_way_.emplace_back(std::exchange(planned_, {}));
  for (const Step::Part& part : step.parts) {
    RunningRequest& request = *part.request;
    const auto guessed = static_cast<std::uint32_t>(request.guessed().size());
    const auto rows = request.unplanned().first(part.rows - guessed);
    step.segments.push_back({.rows = part.rows,
                             .position = request.planned_size(),
                             .kind = rows.front().kind,
                             .pages = request.sequence().pages(),
                             .output = part.output});
    for (const SequenceToken token : rows) step.tokens.push_back(token.id);
    step.tokens.insert(step.tokens.end(), request.guessed().begin(), request.guessed().end());
    if (!request.writing()) step.prompt_rows += part.rows;
    request.start(part.rows);
  }
  step.started = clock_.monotonic();
  return pipe_.start({.segments = step.segments, .tokens = step.tokens});
}

Result<void> Batcher::finish_oldest() {
  const StepOutput output = TRY(pipe_.finish());
  const Step step = std::move(on_the_way_.front());
  on_the_way_.pop_front();
  const auto now = clock_.monotonic();
  // Behind another one it has waited for that one's end.
  step_pace_.measure(seconds(now - std::max(step.started, last_end_)),
                     static_cast<std::uint32_t>(step.tokens.size()), step.prompt_rows);
  last_end_ = now;
  take_output(step, output);
  return {};
}

// Ends all steps on their way. False: there were none.
bool Batcher::drain() {
  if (on_the_way_.empty()) return false;
  while (!on_the_way_.empty()) {
    const auto result = finish_oldest();
    if (!result) fail_all(result.error());
  }
  return true;
}

void Batcher::take_output(const Step& step, const StepOutput& output) {
  std::span<const float> logits = output.logits, hidden = output.hidden;
  const auto take = [](std::span<const float>& rows, std::size_t values) {
    const auto own = rows.first(values);
    rows = rows.subspan(values);
    return own;
  };
  std::uint64_t written = 0, all_guessed = 0, all_right = 0;
  for (const Step::Part& part : step.parts) {
    RunningRequest& request = *part.request;
    const auto guessed = static_cast<std::uint32_t>(request.guessed().size());
    request.take_rows(part.rows);
    request.report_prompt();
    if (part.output == RowOutput::none) continue;
    if (request.pool()) {
      const std::size_t rows = part.output == RowOutput::all_hidden ? part.rows : 1;
      request.pool()->add(take(hidden, rows * options_.width));
      if (request.rest().empty()) end(request, std::optional(FinishReason::stop));
      continue;
    }
    const auto own = take(logits, std::size_t{options_.vocab} * (1 + guessed));
    const std::size_t before = request.tokens().size();
    auto over = take_logits(request, own);
    written += request.tokens().size() - before;
    all_guessed += guessed;
    if (guessed > 0 && request.tokens().size() > before)
      all_right += request.tokens().size() - before - 1;
    if (request.first_token.count() == 0) request.first_token = clock_.monotonic();
    if (!over || *over) end(request, std::move(over));
  }
  const std::lock_guard lock(mutex_);
  ++counts_.steps;
  counts_.generated_tokens += written;
  counts_.guessed_tokens += all_guessed;
  counts_.right_tokens += all_right;
}

// `over`: why, or what went wrong.
void Batcher::end(RunningRequest& request, Result<std::optional<FinishReason>> over) {
  const auto at = std::ranges::find(running_, &request, &std::unique_ptr<RunningRequest>::get);
  const std::unique_ptr<RunningRequest> ended = std::move(*at);
  running_.erase(at);
  if (!over) return finish(*ended, std::move(over).error());
  ended->flush();
  finish(*ended, ended->result(**over));
}

// One answer that runs out of memory fails alone.
Result<std::optional<FinishReason>> Batcher::take_logits(RunningRequest& request,
                                                         std::span<const float> logits) {
  try {
    return request.take_logits(logits);
  } catch (const std::bad_alloc&) {
    return Error(Errc::out_of_memory, "the machine ran out of memory while answering");
  }
}

}  // namespace drystone

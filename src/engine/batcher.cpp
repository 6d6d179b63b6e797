#include "engine/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <new>

namespace drystone {
namespace {

// Prompt rows of a step before anything was measured, and the least that is worth a pass.
constexpr std::uint32_t kFirstPromptRows = 64, kPromptRowsMin = 8;
// How far a crowd of readers stretches the patience of writers.
constexpr double kCrowdMax = 12;
// Of a step of readers alone that bring pages back from the tier: others may want to join.
constexpr double kRestoreMaxS = 0.25;
// Pages that a step copies ahead of their eviction.
constexpr int kStoredAhead = 2;
// While nothing runs, how long a new request may wait for the tier.
constexpr std::chrono::milliseconds kStoreWait{10};
// Weight of the newest measurement.
constexpr double kNewest = 0.2;

void blend(double& mean, double value, double weight = kNewest) {
  mean = mean == 0 ? value : mean + weight * (value - mean);
}

}  // namespace

Batcher::Batcher(DeviceStage& stage, const Tokenizer& tokenizer, const Clock& clock,
                 BatcherOptions options, PageTier* tier)
    : stage_(stage),
      tokenizer_(tokenizer),
      clock_(clock),
      options_(options),
      kinds_agree_(stage.kinds_agree()),
      tier_(tier),
      pool_(stage.page_count(), stage.page_tokens(), tier),
      sequence_max_(static_cast<std::uint32_t>(std::min<std::uint64_t>(
          options.context, std::uint64_t{pool_.pages()} * pool_.page_tokens()))) {
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
    TRY(sink(TRY(stage_.run({.segments = {&segment, 1}, .tokens = chunk})).logits));
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

Result<std::uint64_t> Batcher::submit(GenerationJob job) {
  const GenerateRequest& request = job.request;
  TRY(check_ids(request.prompt));
  if (request.prompt.size() + (request.pooling ? 0 : 1) > sequence_max_)
    return Error(Errc::limit, too_long(request));
  TRY(Sampler::create(request.sampling, options_.vocab));
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    // Who finds a free place waits for the next step only.
    const std::size_t free_places =
        options_.sequences_max - std::min<std::size_t>(active_.size(), options_.sequences_max);
    if (waiting_.size() >= options_.queue_max + free_places)
      return Error(
          Errc::unavailable,
          fmt::format("{} requests are waiting already; try again later", waiting_.size()));
    id = ++last_id_;
    const auto queue = queues_.try_emplace(job.request.priority, queue_max()).first;
    CHECK(queue->second.push(job.client, id), id);
    waiting_.emplace(id, Waiting{std::move(job), clock_.monotonic()});
  }
  wake_.notify_all();
  return id;
}

void Batcher::cancel(std::uint64_t id) {
  Waiting waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(id);
    if (at == waiting_.end()) {
      if (active_.contains(id)) cancelled_.insert(id);
      return;
    }
    waiting = std::move(at->second);
    waiting_.erase(at);
    const auto queue = queues_.find(waiting.job.request.priority);
    queue->second.erase(id);
    if (queue->second.size() == 0) queues_.erase(queue);
  }
  waiting.job.on_done(GenerateResult{
      .finish = FinishReason::cancelled,
      .prompt_tokens = static_cast<std::uint32_t>(waiting.job.request.prompt.size())});
}

void Batcher::cancel_all() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.assign(active_.begin(), active_.end());
    for (const auto& [id, waiting] : waiting_) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) cancel(id);
}

std::size_t Batcher::position(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return 0;
  std::size_t before = interrupted_count_;
  for (const auto& [priority, queue] : queues_) {
    if (priority == at->second.job.request.priority) return before + *queue.position(id);
    before += queue.size();
  }
  return before;
}

BatcherCounts Batcher::counts() const {
  const std::lock_guard lock(mutex_);
  BatcherCounts counts = counts_;
  counts.waiting = static_cast<std::uint32_t>(waiting_.size() + interrupted_count_);
  return counts;
}

void Batcher::wait(const std::stop_token& stop) {
  const auto something_to_do = [&] { return !waiting_.empty() || !active_.empty(); };
  std::unique_lock lock(mutex_);
  while (tier_ != nullptr && !stop.stop_requested() && !something_to_do()) {
    lock.unlock();
    const bool room = tier_->wait_for_room(kStoreWait), stored = pool_.store_ahead();
    lock.lock();
    counts_.tier = tier_->counts();
    if (room && !stored) break;
  }
  wake_.wait(lock, stop, something_to_do);
}

bool Batcher::step() {
  drop_cancelled();
  admit();
  plan();
  const bool something = !running_.empty();
  if (!planned_.empty()) run_planned();
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
  std::set<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    ids = std::exchange(cancelled_, {});
  }
  if (ids.empty()) return;
  const auto drop = [&](auto& requests) {
    for (std::size_t i = requests.size(); i-- > 0;) {
      if (!ids.contains(requests[i]->id())) continue;
      const auto request = std::move(requests[i]);
      requests.erase(requests.begin() + static_cast<std::ptrdiff_t>(i));
      request->flush();
      finish(*request, request->result(FinishReason::cancelled));
    }
  };
  drop(running_);
  drop(interrupted_);
}

void Batcher::finish(RunningRequest& request, Result<GenerateResult> result) {
  request.sequence().truncate(0);
  {
    const std::lock_guard lock(mutex_);
    active_.erase(request.id());
    cancelled_.erase(request.id());
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

// ---- Who runs

void Batcher::admit() {
  while (make_room() && admit_one()) {
  }
}

// A place among the running, if need be that of one that matters less than the first in line.
bool Batcher::make_room() {
  if (running_.size() < options_.sequences_max) return true;
  RunningRequest* const least = least_important();
  if (first_priority().value_or(least->priority()) >= least->priority()) return false;
  preempt(*least);
  return true;
}

// A page to write on beside the tokens, for those that write.
std::uint32_t Batcher::wanted_positions(const RunningRequest& request) const {
  const auto tokens = static_cast<std::uint32_t>(request.tokens().size());
  return request.pool() ? tokens : std::min(tokens + pool_.page_tokens(), sequence_max_);
}

// The first in line comes in when what it wants can be held beside the others, if need be in place
// of those that matter less; else all wait.
bool Batcher::admit_one() {
  std::unique_ptr<RunningRequest> request = next_waiting();
  if (request == nullptr) return false;
  const std::uint32_t cached =
      request->needs_all_rows() ? 0 : request->sequence().reuse(request->tokens());
  const std::uint32_t wanted = wanted_positions(*request);
  while (!request->sequence().reserve(wanted)) {
    CHECK(!running_.empty(), wanted);  // alone, everything fits
    RunningRequest* const least = least_important();
    if (least->priority() > request->priority()) {
      preempt(*least);
      continue;
    }
    request->give_back();
    wait_again(std::move(request));
    return false;
  }
  count_cached(*request, cached);
  if (request->admitted.count() == 0) {
    request->admitted = clock_.monotonic();
    const std::lock_guard lock(mutex_);
    counts_.prompt_tokens += request->tokens().size();
  }
  request->report_prompt();
  running_.push_back(std::move(request));
  return true;
}

void Batcher::count_cached(RunningRequest& request, std::uint32_t tokens) {
  if (tokens == 0 || request.preemptions > 0) return;  // its own work, done before
  request.cached_tokens += tokens;
  const std::lock_guard lock(mutex_);
  counts_.cached_tokens += tokens;
}

// Ahead of those who have never run, if it matters as much.
void Batcher::wait_again(std::unique_ptr<RunningRequest> request) {
  const auto order = [](const auto& one) { return std::pair(one->priority(), one->id()); };
  interrupted_.insert(std::ranges::upper_bound(interrupted_, order(request), {}, order),
                      std::move(request));
}

std::optional<std::int32_t> Batcher::first_priority() const {
  const std::lock_guard lock(mutex_);
  std::optional<std::int32_t> first;
  if (!queues_.empty()) first = queues_.begin()->first;
  if (!interrupted_.empty())
    first = std::min(first.value_or(interrupted_.front()->priority()),
                     interrupted_.front()->priority());
  return first;
}

std::unique_ptr<RunningRequest> Batcher::next_waiting() {
  if (!interrupted_.empty() && interrupted_.front()->priority() <= *first_priority()) {
    auto request = std::move(interrupted_.front());
    interrupted_.pop_front();
    return request;
  }
  GenerationJob job;
  Clock::Nanoseconds since;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queues_.empty()) return nullptr;
    const auto queue = queues_.begin();
    id = *queue->second.pop();
    if (queue->second.size() == 0) queues_.erase(queue);
    auto waiting = waiting_.extract(id);
    job = std::move(waiting.mapped().job);
    since = waiting.mapped().since;
    active_.insert(id);
  }
  auto request = RunningRequest::create({.pool = pool_,
                                         .kinds_agree = kinds_agree_,
                                         .tokenizer = tokenizer_,
                                         .vocab = options_.vocab,
                                         .width = options_.width,
                                         .context = sequence_max_,
                                         .end_tokens = end_tokens_},
                                        id, std::move(job));
  CHECK(request, request.error().message());  // submit() has checked the options
  (*request)->submitted = since;
  return *std::move(request);
}

RunningRequest* Batcher::least_important() const {
  RunningRequest* least = nullptr;
  for (const auto& request : running_)  // the youngest of the highest number
    if (least == nullptr || request->priority() >= least->priority()) least = request.get();
  return least;
}

void Batcher::preempt(RunningRequest& request) {
  request.give_back();
  ++request.preemptions;
  const auto at = std::ranges::find(running_, &request, &std::unique_ptr<RunningRequest>::get);
  CHECK(at != running_.end());
  std::erase_if(planned_, [&](const Planned& planned) { return planned.request == &request; });
  auto interrupted = std::move(*at);
  running_.erase(at);
  wait_again(std::move(interrupted));
  const std::lock_guard lock(mutex_);
  ++counts_.preemptions;
}

// False: `request` itself had to give way.
bool Batcher::reserve(RunningRequest& request, std::uint32_t positions) {
  while (!request.sequence().reserve(positions)) {
    RunningRequest* const victim = least_important();
    CHECK(running_.size() > 1, positions);  // submit() lets in only what fits alone
    preempt(*victim);
    if (victim == &request) return false;
  }
  return true;
}

// ---- What a step holds

void Batcher::plan() {
  planned_.clear();
  std::uint32_t writing = 0;
  // reserve() may take any request out: look again from the start then.
  for (bool again = true; again;) {
    again = false;
    planned_.clear();
    writing = 0;
    for (const auto& request : running_) {
      if (!request->writing()) continue;
      const std::size_t before = running_.size();
      const bool kept = reserve(*request, static_cast<std::uint32_t>(request->tokens().size()));
      if (again = !kept || running_.size() != before; again) break;
      planned_.push_back({request.get(), 1, RowOutput::last_logits});
      ++writing;
    }
  }
  guess(writing);
  std::uint32_t rows = 0;
  for (const Planned& planned : planned_) rows += planned.rows;
  std::vector<RunningRequest*> readers;
  for (const auto& request : running_)
    if (!request->writing()) readers.push_back(request.get());
  std::ranges::stable_sort(readers, {}, &RunningRequest::priority);
  // An index can wait: only those who will write make a crowd.
  const auto crowd = std::ranges::count_if(readers, [](const auto* one) { return !one->pool(); });
  const double time_s = time_for(static_cast<std::size_t>(crowd), writing);
  const double spent_s = take_over(readers, time_s);
  CHECK(rows > 0 || !readers.empty() || spent_s >= kRestoreMaxS || running_.empty(), spent_s);
  std::uint32_t budget = prompt_budget(rows, time_s - spent_s);
  for (RunningRequest* reader : readers) {
    if (budget == 0) break;
    if (plan_rows(*reader, budget)) budget -= planned_.back().rows;
  }
  // The stage wants generated rows first.
  std::ranges::stable_partition(planned_, [](const Planned& planned) {
    return planned.request->rest().front().kind == RowKind::generated;
  });
}

// Few rows cost little more than one, since the weights are read once: so guesses are for a machine
// that few requests use.
void Batcher::guess(std::uint32_t writing) {
  if (writing == 0 || writing >= options_.draft_rows_max) return;
  const std::uint32_t each = (options_.draft_rows_max - writing) / writing;
  for (Planned& planned : planned_) {
    RunningRequest& request = *planned.request;
    request.guess(each);
    const auto rows = static_cast<std::uint32_t>(1 + request.guessed().size());
    // Nobody gives up pages for a guess.
    if (rows == 1 || !request.sequence().reserve(request.sequence().size() + rows)) {
      request.forget_guess();
      continue;
    }
    planned.rows = rows;
    planned.output = RowOutput::all_logits;
  }
}

// What is known need not be computed: what other requests have computed meanwhile, and what the
// tier holds. Who could have more of the tier than there is time for goes on in the next step, and
// is taken out of `readers`. Returns the time that it took.
double Batcher::take_over(std::vector<RunningRequest*>& readers, double until_s) {
  until_s = std::min(until_s, kRestoreMaxS);
  double spent_s = 0;
  std::erase_if(readers,
                [&](RunningRequest* reader) { return !take_over(*reader, until_s, spent_s); });
  return spent_s;
}

// False: there is more, but no time. One page is always in time.
bool Batcher::take_over(RunningRequest& reader, double until_s, double& spent_s) {
  if (reader.needs_all_rows()) return true;
  Sequence& sequence = reader.sequence();
  while (true) {
    count_cached(reader, sequence.reuse(reader.tokens()));
    if (!sequence.is_stored(reader.tokens()) || !pace_.worth(prompt_row_s_ * pool_.page_tokens()))
      return true;
    if (spent_s > 0 && spent_s >= until_s) return false;
    const auto start = clock_.monotonic();
    count_cached(reader, sequence.restore(reader.tokens()));
    const double took_s = seconds(clock_.monotonic() - start);
    pace_.took(took_s);
    spent_s += took_s;
  }
}

bool Batcher::plan_rows(RunningRequest& request, std::uint32_t budget) {
  // What another computes in this very step can be had in the next.
  if (shares_with_planned(request)) return false;
  const std::uint32_t rows = std::min(request.rows_of_next_kind(), budget);
  // Held since its admission, but for what is left of a preempted request's last page.
  CHECK(request.sequence().reserve(request.sequence().size() + rows), rows);
  planned_.push_back({&request, rows, request.output_of(rows)});
  return true;
}

bool Batcher::shares_with_planned(const RunningRequest& request) const {
  if (request.needs_all_rows()) return false;
  const std::uint32_t at = request.sequence().size(), page = pool_.page_tokens();
  if (at % page != 0 || request.rest().size() <= page) return false;
  return std::ranges::any_of(planned_, [&](const Planned& planned) {
    const RunningRequest& other = *planned.request;
    const auto tokens = other.tokens();
    if (other.sequence().salt() != request.sequence().salt() || other.sequence().size() != at ||
        planned.rows < page || tokens.size() < std::size_t{at} + page)
      return false;
    return std::ranges::equal(tokens.first(at + page), request.tokens().first(at + page), {},
                              &SequenceToken::id, &SequenceToken::id);
  });
}

// What a step may take beyond the time of its writing requests; infinite when nobody minds. Where
// several wait to read for each that writes, it is several times more: in small portions, each with
// a pass over the weights, all would wait longer.
double Batcher::time_for(std::size_t readers, std::uint32_t writing) const {
  if (writing == 0 || options_.stall == 0) return std::numeric_limits<double>::infinity();
  const double crowd = static_cast<double>(readers) / writing;
  return (options_.stall - 1) * writing_step_s_ * std::clamp(crowd * crowd, 1.0, kCrowdMax);
}

// `left_s`: time for prompt rows.
std::uint32_t Batcher::prompt_budget(std::uint32_t writing_rows, double left_s) const {
  const std::uint32_t room = options_.batch_tokens_max - writing_rows;
  if (std::isinf(left_s)) return room;
  if (writing_step_s_ == 0 || prompt_row_s_ == 0) return std::min(room, kFirstPromptRows);
  const double rows = std::max(0.0, left_s) / prompt_row_s_;
  return std::min(room, std::max(kPromptRowsMin, static_cast<std::uint32_t>(rows)));
}

void Batcher::measure(double step_s, std::uint32_t prompt_rows) {
  const bool writing = prompt_rows < planned_rows_;
  if (prompt_rows == 0)
    blend(writing_step_s_, step_s);
  else if (!writing)
    blend(prompt_row_s_, step_s / prompt_rows);
  else if (writing_step_s_ > 0 && step_s > writing_step_s_) {
    // What took long is believed at once, what was quick only slowly: gaps should not scatter.
    const double row_s = (step_s - writing_step_s_) / prompt_rows;
    blend(prompt_row_s_, row_s, row_s > prompt_row_s_ ? 3 * kNewest : kNewest / 2);
  }
}

// ---- The step

void Batcher::run_planned() {
  segments_.clear();
  tokens_.clear();
  planned_rows_ = 0;
  std::uint32_t prompt_rows = 0;
  for (const Planned& planned : planned_) {
    const RunningRequest& request = *planned.request;
    const auto rows =
        request.rest().first(planned.rows - static_cast<std::uint32_t>(request.guessed().size()));
    segments_.push_back({.rows = planned.rows,
                         .position = request.sequence().size(),
                         .kind = rows.front().kind,
                         .pages = request.sequence().pages(),
                         .output = planned.output});
    for (const SequenceToken token : rows) tokens_.push_back(token.id);
    tokens_.insert(tokens_.end(), request.guessed().begin(), request.guessed().end());
    planned_rows_ += planned.rows;
    if (!request.writing()) prompt_rows += planned.rows;
  }
  const auto start = clock_.monotonic();
  const auto output = stage_.run({.segments = segments_, .tokens = tokens_});
  CHECK(output, output.error().message());  // the plan keeps the stage's limits
  measure(seconds(clock_.monotonic() - start), prompt_rows);

  std::span<const float> logits = output->logits, hidden = output->hidden;
  const auto take = [](std::span<const float>& rows, std::size_t values) {
    const auto own = rows.first(values);
    rows = rows.subspan(values);
    return own;
  };
  std::uint64_t written = 0, all_guessed = 0, all_right = 0;
  for (const Planned& planned : planned_) {
    RunningRequest& request = *planned.request;
    const auto guessed = static_cast<std::uint32_t>(request.guessed().size());
    request.sequence().append(request.rest().first(planned.rows - guessed));
    request.report_prompt();
    if (planned.output == RowOutput::none) continue;
    if (request.pool()) {
      const std::size_t rows = planned.output == RowOutput::all_hidden ? planned.rows : 1;
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

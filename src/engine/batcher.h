#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "engine/fair_queue.h"
#include "engine/generation_job.h"
#include "engine/page_pool.h"
#include "engine/page_tier.h"
#include "engine/restore_pace.h"
#include "engine/running_request.h"

namespace drystone {

struct BatcherOptions {
  std::uint32_t vocab, width, context;
  std::uint32_t batch_tokens_max;  // rows of a step
  std::uint32_t sequences_max;     // requests that run at once; at most the logit rows of the stage
  std::size_t queue_max;           // requests that wait
  // Rows of a step that writing requests may have together before they stop guessing; 0: never
  // guess.
  std::uint32_t draft_rows_max;
  // How many times as long as without it a step may take for prompts beside writing requests (more
  // where more read than write); 0: no bound.
  double stall;
};

// What has happened since the start, and what is; a snapshot.
struct BatcherCounts {
  std::uint32_t running = 0, waiting = 0;
  std::uint32_t pages = 0, pages_in_use = 0, page_tokens = 0;
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  std::uint64_t guessed_tokens = 0, right_tokens = 0;  // of the generated ones
  std::uint64_t preemptions = 0, steps = 0;
  std::optional<PageTierCounts> tier;  // if there is a second tier of the prefix cache
};

// Continuous batching: requests join and leave between steps of a stage. A step holds a generated
// row of every request that is writing, then as much of the prompts as fits; beside writing
// requests a prompt's share is cut so that a step takes little longer than without it. When pages
// run out, the request that matters least gives its own back and is computed again later, which
// nobody can tell from its text (a row's bits depend on its sequence alone). Requests for a vector
// instead of text share all of this; they end with their prompt.
//
// submit(), cancel(), position() and counts() from any thread; step() and wait() from one.
class Batcher final : public JobQueue {
 public:
  // Borrows all of them. `tier`: of this stage; null: evicted pages are gone.
  Batcher(DeviceStage& stage, const Tokenizer& tokenizer, const Clock& clock,
          BatcherOptions options, PageTier* tier = nullptr);
  ~Batcher() override;  // cancels what is left

  Result<std::uint64_t> submit(GenerationJob job) override;
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;
  std::size_t queue_max() const override { return options_.queue_max + options_.sequences_max; }
  BatcherCounts counts() const;

  // Engine::logits(), `rows_max` rows at a time. While nothing runs or waits.
  Result<void> logits(std::span<const TokenId> ids, std::size_t rows_max,
                      const std::function<Result<void>(std::span<const float>)>& sink);

  // Runs one step; false when there was nothing to do.
  bool step();
  // Blocks until there is something to do or `stop` is requested; meanwhile pages that would go
  // next are stored in the tier.
  void wait(const std::stop_token& stop);

 private:
  struct Planned {
    RunningRequest* request;
    std::uint32_t rows;
    RowOutput output;
  };

  std::string too_long(const GenerateRequest& request) const;
  Result<void> check_ids(std::span<const TokenId> ids) const;
  void drop_cancelled();
  void admit();
  bool make_room();
  bool admit_one();
  void count_cached(RunningRequest& request, std::uint32_t tokens);
  void wait_again(std::unique_ptr<RunningRequest> request);
  std::optional<std::int32_t> first_priority() const;
  std::unique_ptr<RunningRequest> next_waiting();
  void plan();
  void guess(std::uint32_t writing);
  double take_over(std::vector<RunningRequest*>& readers, double until_s);
  bool take_over(RunningRequest& reader, double until_s, double& spent_s);
  bool plan_rows(RunningRequest& request, std::uint32_t budget);
  bool reserve(RunningRequest& request, std::uint32_t positions);
  RunningRequest* least_important() const;
  void preempt(RunningRequest& request);
  bool shares_with_planned(const RunningRequest& request) const;
  double time_for(std::size_t readers, std::uint32_t writing) const;
  std::uint32_t prompt_budget(std::uint32_t writing_rows, double left_s) const;
  std::uint32_t wanted_positions(const RunningRequest& request) const;
  void measure(double step_s, std::uint32_t prompt_rows);
  void run_planned();
  void end(RunningRequest& request, Result<std::optional<FinishReason>> over);
  static Result<std::optional<FinishReason>> take_logits(RunningRequest& request,
                                                         std::span<const float> logits);
  void finish(RunningRequest& request, Result<GenerateResult> result);

  DeviceStage& stage_;
  const Tokenizer& tokenizer_;
  const Clock& clock_;
  const BatcherOptions options_;
  const bool kinds_agree_;
  PageTier* const tier_;
  PagePool pool_;
  std::vector<std::uint64_t> end_tokens_;  // bit id % 64 of word id / 64
  const std::uint32_t sequence_max_;       // tokens of the longest sequence that can be held

  std::vector<std::unique_ptr<RunningRequest>> running_;     // in the order of admission
  std::deque<std::unique_ptr<RunningRequest>> interrupted_;  // by priority, then age
  std::vector<Planned> planned_;
  std::uint32_t planned_rows_ = 0;
  std::vector<Segment> segments_;
  std::vector<TokenId> tokens_;
  double writing_step_s_ = 0, prompt_row_s_ = 0;  // measured; 0: not yet
  RestorePace pace_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  struct Waiting {
    GenerationJob job;
    Clock::Nanoseconds since;
  };
  std::map<std::int32_t, FairQueue> queues_;  // by priority, the lowest first
  std::map<std::uint64_t, Waiting> waiting_;
  std::set<std::uint64_t> active_;     // running or interrupted
  std::set<std::uint64_t> cancelled_;  // of the active ones
  std::size_t interrupted_count_ = 0;
  std::uint64_t last_id_ = 0;
  BatcherCounts counts_;
};

}  // namespace drystone

#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "engine/generation_job.h"
#include "engine/job_intake.h"
#include "engine/page_pool.h"
#include "engine/page_tier.h"
#include "engine/restore_pace.h"
#include "engine/running_request.h"
#include "engine/step_pace.h"
#include "engine/step_pipe.h"

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

// Continuous batching: requests join and leave between steps of a model. A step holds a generated
// row of every request that is writing, then as much of the prompts as fits; beside writing
// requests a prompt's share is cut so that a step takes little longer than without it. When pages
// run out, the request that matters least gives its own back and is computed again later, which
// nobody can tell from its text (a row's bits depend on its sequence alone). Requests for a vector
// instead of text share all of this; they end with their prompt.
//
// A pipe of several lanes has several steps on their way, which share the writing requests evenly;
// a prompt may be in all of them, piece by piece.
//
// submit(), cancel(), position() and counts() from any thread; step() and wait() from one.
class Batcher final : public JobQueue {
 public:
  // Borrows all of them. `tier`: of the pipe's only stage; null: evicted pages are gone.
  Batcher(StepPipe& pipe, const Tokenizer& tokenizer, const Clock& clock, BatcherOptions options,
          PageTier* tier = nullptr);
  ~Batcher() override;  // cancels what is left

  // Errors: also unavailable, once a stage was lost: all that ran or waited has ended with it.
  Result<std::uint64_t> submit(GenerationJob job) override;
  void cancel(std::uint64_t id) override { intake_.cancel(id); }
  void cancel_all() override { intake_.cancel_all(); }
  std::size_t position(std::uint64_t id) const override;
  std::size_t queue_max() const override { return intake_.size_max(); }
  bool lost() const override;
  BatcherCounts counts() const;

  // Engine::logits(), `rows_max` rows at a time. While nothing runs or waits.
  Result<void> logits(std::span<const TokenId> ids, std::size_t rows_max,
                      const std::function<Result<void>(std::span<const float>)>& sink);

  // Starts a step if there is one to start, and ends the oldest if no more fit or can be started;
  // false when there was nothing to do.
  bool step();
  // Blocks until there is something to do or `stop` is requested; meanwhile pages that would go
  // next are stored in the tier.
  void wait(const std::stop_token& stop);

 private:
  // A step, planned or on its way.
  struct Step {
    struct Part {
      RunningRequest* request;
      std::uint32_t rows;
      RowOutput output;
    };
    std::vector<Part> parts;
    std::vector<Segment> segments;
    std::vector<TokenId> tokens;
    std::uint32_t prompt_rows = 0;
    Clock::Nanoseconds started{};
  };

  std::string too_long(const GenerateRequest& request) const;
  Result<void> check_ids(std::span<const TokenId> ids) const;
  Result<void> check_written(const GenerateRequest& request) const;
  Result<void> check_constraint(const GenerateRequest& request) const;
  void drop_cancelled();
  void finish(RunningRequest& request, Result<GenerateResult> result);
  void fail_all(const Error& error);
  Result<void> still_there() const;  // the stages

  // Who runs (batcher_admission.cpp).
  void admit();
  bool make_room();
  bool admit_one();
  void count_cached(RunningRequest& request, std::uint32_t tokens);
  void wait_again(std::unique_ptr<RunningRequest> request);
  std::optional<std::int32_t> first_priority() const;
  std::unique_ptr<RunningRequest> next_waiting();
  std::uint32_t wanted_positions(const RunningRequest& request) const;
  RunningRequest* least_important() const;
  void preempt(RunningRequest& request);
  bool reserve(RunningRequest& request, std::uint32_t positions);

  // What a step holds (batcher_plan.cpp).
  void plan();
  std::uint32_t plan_writers();
  void guess(std::uint32_t writing);
  double take_over(std::vector<RunningRequest*>& readers, double until_s);
  bool take_over(RunningRequest& reader, double until_s, double& spent_s);
  bool plan_rows(RunningRequest& request, std::uint32_t budget);
  bool shares_with_started(const RunningRequest& request) const;

  // The step itself (batcher.cpp).
  Result<void> start_planned();
  Result<void> finish_oldest();
  bool drain();
  void take_output(const Step& step, const StepOutput& output);
  void end(RunningRequest& request, Result<std::optional<FinishReason>> over);
  static Result<std::optional<FinishReason>> take_logits(RunningRequest& request,
                                                         std::span<const float> logits);

  StepPipe& pipe_;
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
  Step planned_;
  std::deque<Step> on_the_way_;  // the oldest first; at most pipe_.lanes()
  Clock::Nanoseconds last_end_{};
  StepPace step_pace_;
  RestorePace restore_pace_;

  JobIntake intake_;
  mutable std::mutex mutex_;  // of what follows
  std::size_t interrupted_count_ = 0;
  std::optional<Error> lost_;  // a stage
  BatcherCounts counts_;
};

}  // namespace drystone

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/step_pipe.h"
#include "serve/peer/split/loaded_part.h"
#include "serve/peer/split/part_links.h"

namespace drystone {

// The stages of an instance that is split over nodes, as its head sees them. start() computes the
// first stage, on the caller's thread, while the others work on the steps before; finish() waits
// for what the last stage gives and applies the output head.
class SplitPipe final : public StepPipe {
 public:
  // The longest that a step may be away while all nodes say that they live.
  static constexpr std::chrono::minutes kStepWithin{10};

  // Tells nobody anything and waits until all parts have loaded, or `stop` is true: minutes.
  // `part` is loaded, and borrowed for the life of the pipe. Errors: those of
  // PartLinks::wait_ready.
  static Result<std::unique_ptr<SplitPipe>> create(std::unique_ptr<PartLinks> links,
                                                   LoadedPart& part, std::uint32_t vocab,
                                                   const std::atomic<bool>& stop);
  ~SplitPipe() override;

  std::uint32_t lanes() const override { return links_->limits().lanes; }
  Result<void> start(const StepInput& input) override;
  Result<StepOutput> finish() override;
  bool kinds_agree() const override { return figures_.kinds_agree; }
  std::uint32_t page_tokens() const override { return figures_.page_tokens; }
  std::uint32_t page_count() const override { return figures_.page_count; }

  StageMemory memory() const { return part_.stages().memory(); }  // of this node

 private:
  struct Flight {
    std::uint64_t step = 0;
    std::vector<Segment> segments;  // without pages
  };
  SplitPipe(std::unique_ptr<PartLinks> links, LoadedPart& part, std::uint32_t vocab);
  Result<void> start_step(const StepInput& input);
  Result<StepOutput> finish_step();
  Error lose(const Error& error);
  Result<StepOutput> gather(const Flight& flight, const StepOutput& own);
  Result<void> add_slice(const Flight& flight, std::uint32_t rank, std::size_t first);

  const std::unique_ptr<PartLinks> links_;
  LoadedPart& part_;  // sums over the links
  const std::uint32_t vocab_;
  PartFigures figures_;
  std::uint64_t started_ = 0;
  std::optional<Error> lost_;
  std::deque<Flight> flights_;  // the oldest first
  std::vector<Flight> landed_;  // to be used again
  std::vector<std::byte> layout_;
  std::span<const float> own_rows_;        // of the only stage: what its body gave last
  std::unique_ptr<StepMessage> returned_;  // what the output may point into
  std::vector<float> logits_;              // [rows, vocab] of several ranks
};

}  // namespace drystone

#pragma once

#include "compute/device.h"

namespace drystone {

// Into how many pieces each lane of several cuts what is left of a prompt, and the least rows of
// one.
constexpr std::uint32_t kPiecesOfALane = 8, kPieceRowsMin = 128;

// Steps on their way through the stages of a model, which may be one device or several machines.
// They end in the order in which they started. One thread.
class StepPipe {
 public:
  virtual ~StepPipe() = default;

  // How many steps can be on their way at once: one on a single device, and as many as there are
  // stages, so that all of them work.
  virtual std::uint32_t lanes() const = 0;
  // Starts a step; fewer than lanes() are on their way. What `input` points at stays as it is until
  // the step has ended; a sequence may be in several of them, its rows in rising order.
  // Errors: unavailable  a stage is lost: nothing on its way ends any more, and the pipe is of no
  //                      further use: all further calls say the same.
  virtual Result<void> start(const StepInput& input) = 0;
  // Waits for the step that started first. The output is valid until the next call of either.
  // Errors: as start().
  virtual Result<StepOutput> finish() = 0;

  // Of all stages alike (compute/device.h).
  virtual bool kinds_agree() const = 0;
  virtual std::uint32_t page_tokens() const = 0;
  virtual std::uint32_t page_count() const = 0;
};

// One stage that holds the whole model. Steps run in finish(), on the caller's thread.
class SingleStage final : public StepPipe {
 public:
  explicit SingleStage(DeviceStage& stage) : stage_(stage) {}  // borrows it

  std::uint32_t lanes() const override { return 1; }
  Result<void> start(const StepInput& input) override {
    input_ = input;
    return {};
  }
  Result<StepOutput> finish() override { return stage_.run(input_); }
  bool kinds_agree() const override { return stage_.kinds_agree(); }
  std::uint32_t page_tokens() const override { return stage_.page_tokens(); }
  std::uint32_t page_count() const override { return stage_.page_count(); }

 private:
  DeviceStage& stage_;
  StepInput input_;
};

}  // namespace drystone

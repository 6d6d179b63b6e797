#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "compute/device.h"
#include "model/arch/architecture.h"

namespace drystone {

// A model on a device that does almost nothing but what is to be measured: its weights are made
// up. Not thread-safe.
class TinyModel {
 public:
  static constexpr std::uint32_t kContext = 1024, kBatch = 128;
  // 64 wide, with heads of 64.
  static ModelConfig config(std::uint32_t layers, std::uint32_t heads, std::uint32_t kv_heads);

  // The first `layers` of them, and the head behind the last one. Null: it cannot be had.
  static std::unique_ptr<TinyModel> load(Device& device, const ModelConfig& config,
                                         std::uint32_t layers, DType matrices = DType::f32);

  // Of a step of `rows` rows behind `position` others, the best of several tries; nullopt: it does
  // not run.
  std::optional<double> step_s(const Clock& clock, std::uint32_t rows, std::uint32_t position,
                               RowKind kind);

 private:
  explicit TinyModel(std::unique_ptr<DeviceStage> stage);
  const std::unique_ptr<DeviceStage> stage_;
  std::vector<std::uint32_t> pages_;
};

}  // namespace drystone

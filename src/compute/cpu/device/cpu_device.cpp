#include "compute/cpu/cpu_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "compute/cpu/device/cpu_stage.h"

namespace drystone {
namespace {

class CpuDevice final : public Device {
 public:
  CpuDevice(Isa isa, int threads) : isa_(isa), pool_(threads) {}

  std::string name() const override {
    return fmt::format("cpu {} ({} thread{})", to_string(isa_), pool_.threads(),
                       pool_.threads() == 1 ? "" : "s");
  }

  StageMemory estimate(const Program& program, const StageOptions& options,
                       const std::function<DType(const TensorSpec&)>& type_of) const override {
    return {.weights = StageWeights::estimate(program, options, type_of),
            .kv = kv_layout(program, options).bytes(),
            .working = stage_working_bytes(program, options, isa_, pool_.threads())};
  }

  Result<std::unique_ptr<DeviceStage>> load(const Program& program, const StageOptions& options,
                                            TensorSource& source) override {
    CHECK(options.layers.begin <= options.layers.end && options.layers.end <= program.layers.size(),
          options.layers.begin, options.layers.end, program.layers.size());
    CHECK(options.batch_tokens_max >= 1 && options.logit_rows_max >= 1);
    CHECK(
        options.head != HeadPlace::behind_last_layer || options.layers.end == program.layers.size(),
        "a head without the last layer stands apart", options.layers.end);
    CHECK(program.ranks == 1 || options.layers.size() == 0 ||
              (options.reducer != nullptr && options.reducer->rank() == program.rank &&
               options.reducer->ranks() == program.ranks),
          "a rank needs the reducer of its place", program.rank, program.ranks);
    TRY(check_memory(program, options, source));
    KvCache cache = TRY(KvCache::reserve(kv_layout(program, options)));
    Workspace workspace = TRY(
        Workspace::reserve(workspace_layout(program, options.layers, options.batch_tokens_max)));
    StageWeights weights = TRY(StageWeights::load(pool_, program, options, source));
    try {
      return std::unique_ptr<DeviceStage>(std::make_unique<CpuStage>(
          pool_, isa_, program, options,
          CpuStage::Parts{std::move(weights), std::move(cache), std::move(workspace)}));
    } catch (const std::bad_alloc&) {
      return Error(
          Errc::out_of_memory,
          fmt::format("the system refused part of the {} of working memory for steps of "
                      "{} tokens",
                      format_bytes(stage_working_bytes(program, options, isa_, pool_.threads())),
                      options.batch_tokens_max));
    }
  }

 private:
  // Refuses what does not fit before anything is taken.
  Result<void> check_memory(const Program& program, const StageOptions& options,
                            TensorSource& source) const {
    Result<void> failure;
    const StageMemory need = estimate(program, options, [&](const TensorSpec& spec) {
      auto type = source.type(spec);
      if (type) return *type;
      if (failure) failure = std::move(type).error();
      return DType::f32;
    });
    TRY(std::move(failure));
    const auto available = available_memory();
    if (!available) return {};  // a system that does not say: the reservations themselves will tell
    const Bytes total = need.weights + need.kv + need.working;
    if (total <= *available) return {};
    return Error(
        Errc::out_of_memory,
        fmt::format(
            "the model needs {} (weights {}, KV cache for {} tokens {}, working memory {}), but {} "
            "of memory is available. Nothing was loaded. Try a smaller context, or a smaller "
            "quantization of the model",
            format_bytes(total), format_bytes(need.weights), options.kv_tokens,
            format_bytes(need.kv), format_bytes(need.working), format_bytes(*available)));
  }

  const Isa isa_;
  ThreadPool pool_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(Isa isa, int threads) {
  CHECK(std::ranges::find(testable_isas(), isa) != testable_isas().end(), to_string(isa));
  return std::make_unique<CpuDevice>(isa, threads);
}

}  // namespace drystone

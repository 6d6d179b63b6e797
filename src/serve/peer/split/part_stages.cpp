#include "serve/peer/split/part_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/plan/row_format.h"
#include "compute/shard_program.h"
#include "engine/engine.h"
#include "model/arch/architecture.h"
#include "serve/peer/split/wires.h"

namespace drystone {
namespace {

CutRange cut(const Span& span) { return {span.begin, span.end}; }

}  // namespace

KvType kv_type(KvFormat format) {
  switch (format) {
    case KvFormat::f16:
      return KvType::f16;
    case KvFormat::f32:
      return KvType::f32;
    case KvFormat::q8_0:
      return KvType::q8_0;
  }
  return KvType::f16;
}

StageMemory PartStages::memory() const {
  StageMemory memory = body->memory();
  if (front == nullptr) return memory;
  const StageMemory more = front->memory();
  memory.weights += more.weights;
  memory.kv += more.kv;
  memory.working += more.working;
  return memory;
}

// What the planner counts as logits is what is reserved.
static_assert(kGuessedRowsMax == kDraftRowsMax);

std::uint32_t sequences_max(const Placement& placement) {
  return std::clamp(std::max(placement.streams, kSequencesMin), 1u,
                    std::max(placement.rows_max, 1u));
}

Result<PartProgram> part_program(const Placement& placement, std::uint32_t part,
                                 const GgufFile& file) {
  TRY(validate(placement));
  CHECK(part < placement.parts.size(), part, placement.parts.size());
  Program whole = TRY(load_program(file, placement.context));
  const ModelShape is{.layers = static_cast<std::uint32_t>(whole.layers.size()),
                      .kv_heads = whole.kv_heads,
                      .ff_width = whole.ff_width,
                      .vocab = whole.vocab};
  if (is != placement.shape)
    return Error(
        Errc::corrupt,
        fmt::format("{} has {} layers, {} KV heads, {} MLP columns and {} tokens; what was "
                    "placed as {} has {}, {}, {} and {}",
                    file.name(), is.layers, is.kv_heads, is.ff_width, is.vocab, placement.model,
                    placement.shape.layers, placement.shape.kv_heads, placement.shape.ff_width,
                    placement.shape.vocab));
  if (placement.rows_max == 0 || placement.kv_tokens == 0 || placement.context == 0)
    return Error(Errc::corrupt, "a placement without rows, context or cache");
  if (placement.parts[part].ranks > 1 && whole.d_model % kSumBlock != 0)
    return Error(Errc::unsupported,
                 fmt::format("{} has rows of {} values: only multiples of {} can be summed over "
                             "shards; place it in stages",
                             file.name(), whole.d_model, kSumBlock));
  const PlacedPart& here = placement.parts[part];
  PartProgram result{.limits = {.width = whole.d_model,
                                .context = placement.context,
                                .rows_max = placement.rows_max,
                                .logit_rows_max = logit_rows_for(sequences_max(placement)),
                                .lanes = Wires(placement).stages()}};
  for (const PlacedPart& one : placement.parts)
    result.limits.logit_width = std::max(result.limits.logit_width, one.vocab.size());
  if (here.ranks == 1) {
    result.program = std::move(whole);
    return result;
  }
  // Behind the first stage nobody holds rows of the output matrix; a cut must name some.
  const CutRange vocab = here.vocab.size() > 0 ? cut(here.vocab) : CutRange{0, whole.vocab};
  result.program = shard_program(whole, {.rank = here.rank,
                                         .ranks = here.ranks,
                                         .kv_heads = cut(here.kv_heads),
                                         .ff = cut(here.ff),
                                         .vocab = vocab});
  return result;
}

Result<PartStages> load_part(const Placement& placement, std::uint32_t part,
                             const PartProgram& program, const GgufFile& file, Device& device,
                             Reducer* reducer, const std::function<void(double done)>& progress,
                             const std::atomic<bool>& stop) {
  const PlacedPart& here = placement.parts[part];
  const auto source = tensor_source(file);
  StageOptions options{.layers = {here.layers.begin, here.layers.end},
                       .embed = false,
                       .head = HeadPlace::none,
                       .reducer = reducer,
                       .kv_type = kv_type(placement.kv_format),
                       .kv_tokens = placement.kv_tokens,
                       .batch_tokens_max = program.limits.rows_max,
                       .logit_rows_max = program.limits.logit_rows_max,
                       .progress = progress,
                       .stop = &stop};
  PartStages stages;
  stages.body = TRY(device.load(program.program, options, *source));
  if (here.stage == 0) {
    options.layers = {0, 0};
    options.embed = here.rank == 0;
    options.head = HeadPlace::apart;
    options.reducer = nullptr;
    options.progress = nullptr;
    stages.front = TRY(device.load(program.program, options, *source));
  }
  return stages;
}

}  // namespace drystone

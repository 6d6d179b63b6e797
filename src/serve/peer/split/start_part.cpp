#include "serve/peer/split/start_part.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace drystone {
namespace {

// Connected, and loaded. `opened`: the file that the options opened.
Result<std::unique_ptr<PartLinks>> start(const PartNode& node, const Placement& placement,
                                         std::uint32_t part, const GgufFile& file,
                                         PartOptions options, const std::atomic<bool>& stop,
                                         std::optional<GgufFile>& opened) {
  const PartProgram program = TRY(part_program(placement, part, file));
  auto streams = TRY(connect_part(placement, part, node.dialer, node.switchboard, node.clock,
                                  options.connect_within, stop));
  auto links = std::make_unique<PartLinks>(placement, part, program.limits, std::move(streams),
                                           node.clock, options.links, std::move(options.on_lost));
  if (stop) return Error(Errc::cancelled, "loading was stopped");
  const bool loaded = node.part.is_loaded();
  // An engine reads a classifier itself.
  const bool reads = !loaded || program.program.classifier != kNoTensor;
  if (options.open && reads) opened.emplace(TRY(options.open()));
  if (!loaded)
    TRY(node.part.load(placement, part, program, opened ? *opened : file, options.progress, stop));
  if (stop) return Error(Errc::cancelled, "loading was stopped");
  return links;
}

Result<std::uint32_t> own_part(const Placement& placement, const std::string& node) {
  if (const auto index = placement.index_of(node)) return *index;
  return Error(Errc::invalid_argument,
               fmt::format("{} has no part on {}", placement.instance, node));
}

}  // namespace

Result<std::unique_ptr<StagePart>> start_worker(const PartNode& node, const Placement& placement,
                                                const GgufFile& file, PartOptions options,
                                                const std::atomic<bool>& stop) {
  const std::uint32_t part = TRY(own_part(placement, node.self));
  CHECK(part != 0);
  std::optional<GgufFile> opened;
  auto links = TRY(start(node, placement, part, file, std::move(options), stop, opened));
  return std::make_unique<StagePart>(std::move(links), node.part);
}

Result<std::unique_ptr<Engine>> start_head(const PartNode& node, const Placement& placement,
                                           GgufFile file, PartOptions options, EngineOptions engine,
                                           const std::atomic<bool>& stop) {
  const std::uint32_t part = TRY(own_part(placement, node.self));
  CHECK(part == 0 && placement.parts.size() > 1, part, placement.parts.size());
  std::optional<GgufFile> opened;
  auto links = TRY(start(node, placement, part, file, std::move(options), stop, opened));
  if (opened) file = *std::move(opened);
  auto pipe = TRY(SplitPipe::create(std::move(links), node.part, placement.shape.vocab, stop));
  engine.context = placement.context;
  engine.batch_tokens_max = placement.rows_max;
  engine.sequences_max = sequences_max(placement);
  const StageMemory memory = pipe->memory();
  return Engine::over(std::move(file), std::move(pipe), memory, std::move(engine));
}

}  // namespace drystone

#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/loaded_engine.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

// Rows that cost little more than one.
constexpr std::uint32_t kDraftRowsMax = 8;

Result<std::uint32_t> choose_context(const ModelConfig& config, const EngineOptions& options) {
  if (options.context > config.context)
    return Error(Errc::invalid_argument,
                 fmt::format("a context of {} tokens was asked for, the model is made for {}",
                             options.context, config.context));
  return options.context != 0 ? options.context : std::min(config.context, kDefaultContextMax);
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::load(GgufFile file, Device& device, EngineOptions options) {
  const ModelConfig config = TRY(read_config(file));
  const std::uint32_t context = TRY(choose_context(config, options));
  const Program program = TRY(load_program(file, context));
  auto tokenizer = TRY(Tokenizer::load(file.metadata()));
  if (tokenizer->size() != program.vocab)
    return Error(Errc::corrupt, fmt::format("{}: the tokenizer has {} tokens, the model {}",
                                            file.name(), tokenizer->size(), program.vocab));
  std::unique_ptr<ChatTemplate> chat_template;
  std::string chat_template_error;
  if (const auto source = TRY(file.metadata().string("tokenizer.chat_template"))) {
    auto parsed = ChatTemplate::parse(*source);
    if (parsed)
      chat_template = std::make_unique<ChatTemplate>(*std::move(parsed));
    else
      chat_template_error = parsed.error().message();
  }

  StageOptions stage_options{
      .layers = {0, static_cast<std::uint32_t>(program.layers.size())},
      .kv_type = options.kv_type,
      .kv_tokens = options.kv_tokens == 0 ? context * options.kv_contexts : options.kv_tokens,
      .batch_tokens_max = static_cast<std::uint32_t>(
          std::clamp<std::uint64_t>(options.batch_tokens_max, 1,
                                    std::uint64_t{context} * std::max(options.sequences_max, 1u))),
      .progress = std::move(options.progress)};
  const std::uint32_t sequences_max =
      std::clamp(options.sequences_max, 1u, stage_options.batch_tokens_max);
  stage_options.logit_rows_max =
      std::max(stage_options.logit_rows_max, sequences_max + kDraftRowsMax);
  std::unique_ptr<ScratchFile> kv_file;
  if (options.kv_disk_bytes > 0)
    kv_file = TRY(make_scratch_file(options.kv_disk_folder, options.kv_disk_bytes));
  const auto source = tensor_source(file);
  std::unique_ptr<Classifier> classifier;
  if (program.classifier != kNoTensor)
    classifier = std::make_unique<Classifier>(
        TRY(Classifier::load(program.tensors[program.classifier], config.classes, *source)));
  auto stage = device.load(program, stage_options, *source);
  if (!stage) return std::move(stage).error().with("loading " + file.name());
  auto pipe = std::make_unique<SingleStage>(**stage);
  const StageMemory memory = (*stage)->memory();
  std::unique_ptr<PageTier> tier;
  if (kv_file != nullptr)
    tier = TRY(PageTier::create(**stage, std::move(kv_file), options.kv_disk_bytes));
  return std::unique_ptr<Engine>(std::make_unique<BatchingEngine>(
      BatchingEngine::Parts{.file = std::move(file),
                            .tokenizer = std::move(tokenizer),
                            .chat_template = std::move(chat_template),
                            .chat_template_error = std::move(chat_template_error),
                            .pooling_type = config.pooling,
                            .classifier = std::move(classifier),
                            .stage = *std::move(stage),
                            .pipe = std::move(pipe),
                            .tier = std::move(tier),
                            .memory = memory,
                            .vocab = program.vocab,
                            .width = program.d_model,
                            .context = context,
                            .batch_tokens_max = stage_options.batch_tokens_max,
                            .logit_rows_max = stage_options.logit_rows_max,
                            .sequences_max = sequences_max,
                            .queue_max = options.queue_max,
                            .draft_rows_max = options.speculate ? kDraftRowsMax : 0,
                            .stall = options.stall}));
}

}  // namespace drystone

#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/loaded_engine.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

Result<std::uint32_t> choose_context(const ModelConfig& config, const EngineOptions& options) {
  if (options.context > config.context)
    return Error(Errc::invalid_argument,
                 fmt::format("a context of {} tokens was asked for, the model is made for {}",
                             options.context, config.context));
  return options.context != 0 ? options.context : std::min(config.context, kDefaultContextMax);
}

// What a model's file says beside its weights.
struct ModelText {
  Program program;
  std::uint32_t context;
  std::optional<PoolingType> pooling_type;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat_template;
  std::string chat_template_error;
  std::unique_ptr<Classifier> classifier;
};

Result<ModelText> read_text(const GgufFile& file, const EngineOptions& options) {
  const ModelConfig config = TRY(read_config(file));
  ModelText text{.context = TRY(choose_context(config, options)), .pooling_type = config.pooling};
  text.program = TRY(load_program(file, text.context));
  text.tokenizer = TRY(Tokenizer::load(file.metadata()));
  if (text.tokenizer->size() != text.program.vocab)
    return Error(Errc::corrupt,
                 fmt::format("{}: the tokenizer has {} tokens, the model {}", file.name(),
                             text.tokenizer->size(), text.program.vocab));
  if (const auto source = TRY(file.metadata().string("tokenizer.chat_template"))) {
    auto parsed = ChatTemplate::parse(*source);
    if (parsed)
      text.chat_template = std::make_unique<ChatTemplate>(*std::move(parsed));
    else
      text.chat_template_error = parsed.error().message();
  }
  if (text.program.classifier != kNoTensor)
    text.classifier = std::make_unique<Classifier>(TRY(Classifier::load(
        text.program.tensors[text.program.classifier], config.classes, *tensor_source(file))));
  return text;
}

// Without stage, tier and rows.
BatchingEngine::Parts parts_of(GgufFile file, ModelText text, const EngineOptions& options) {
  return {.file = std::move(file),
          .tokenizer = std::move(text.tokenizer),
          .chat_template = std::move(text.chat_template),
          .chat_template_error = std::move(text.chat_template_error),
          .pooling_type = text.pooling_type,
          .classifier = std::move(text.classifier),
          .vocab = text.program.vocab,
          .width = text.program.d_model,
          .context = text.context,
          .queue_max = options.queue_max,
          .draft_rows_max = options.speculate ? kDraftRowsMax : 0,
          .stall = options.stall};
}

}  // namespace

std::uint32_t logit_rows_for(std::uint32_t sequences_max) {
  return std::max(StageOptions{}.logit_rows_max, sequences_max + kDraftRowsMax);
}

Result<std::unique_ptr<Engine>> Engine::load(GgufFile file, Device& device, EngineOptions options) {
  ModelText text = TRY(read_text(file, options));
  const std::uint32_t context = text.context;
  StageOptions stage_options{
      .layers = {0, static_cast<std::uint32_t>(text.program.layers.size())},
      .kv_type = options.kv_type,
      .kv_tokens = options.kv_tokens == 0 ? context * options.kv_contexts : options.kv_tokens,
      .batch_tokens_max = static_cast<std::uint32_t>(
          std::clamp<std::uint64_t>(options.batch_tokens_max, 1,
                                    std::uint64_t{context} * std::max(options.sequences_max, 1u))),
      .progress = std::move(options.progress),
      .stop = options.stop};
  const std::uint32_t sequences_max =
      std::clamp(options.sequences_max, 1u, stage_options.batch_tokens_max);
  stage_options.logit_rows_max = logit_rows_for(sequences_max);
  std::unique_ptr<ScratchFile> kv_file;
  if (options.kv_disk_bytes > 0)
    kv_file = TRY(make_scratch_file(options.kv_disk_folder, options.kv_disk_bytes));
  auto stage = device.load(text.program, stage_options, *tensor_source(file));
  if (!stage) return std::move(stage).error().with("loading " + file.name());
  BatchingEngine::Parts parts = parts_of(std::move(file), std::move(text), options);
  parts.stage = *std::move(stage);
  parts.pipe = std::make_unique<SingleStage>(*parts.stage);
  parts.memory = parts.stage->memory();
  if (kv_file != nullptr)
    parts.tier = TRY(PageTier::create(*parts.stage, std::move(kv_file), options.kv_disk_bytes));
  parts.batch_tokens_max = stage_options.batch_tokens_max;
  parts.logit_rows_max = stage_options.logit_rows_max;
  parts.sequences_max = sequences_max;
  return std::unique_ptr<Engine>(std::make_unique<BatchingEngine>(std::move(parts)));
}

Result<std::unique_ptr<Engine>> Engine::over(GgufFile file, std::unique_ptr<StepPipe> pipe,
                                             StageMemory memory, EngineOptions options) {
  ModelText text = TRY(read_text(file, options));
  BatchingEngine::Parts parts = parts_of(std::move(file), std::move(text), options);
  parts.pipe = std::move(pipe);
  parts.memory = memory;
  parts.batch_tokens_max = options.batch_tokens_max;
  parts.sequences_max = std::clamp(options.sequences_max, 1u, options.batch_tokens_max);
  parts.logit_rows_max = logit_rows_for(parts.sequences_max);
  return std::unique_ptr<Engine>(std::make_unique<BatchingEngine>(std::move(parts)));
}

}  // namespace drystone

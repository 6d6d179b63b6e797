#include "serve/remote_model.h"

#include <fmt/format.h>

#include <mutex>

#include "serve/header_model.h"

namespace drystone {

namespace {

// What a HeaderModel borrows. Before it among the bases, so that it outlives it.
struct RemoteParts {
  RemoteModelOptions options;
  std::unique_ptr<Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::string chat_template_error;
  std::optional<PoolingType> pooling;
  std::uint32_t width = 0;
};

class RemoteModel final : private RemoteParts, public HeaderModel {
 public:
  RemoteModel(RemoteParts parts, const Clock& clock)
      : RemoteParts(std::move(parts)), HeaderModel(header(), clock) {}

  std::uint32_t context() const override { return options.context; }
  JobQueue& jobs() override { return *options.jobs; }

 private:
  Header header() {
    return {.metadata = options.metadata,
            .tokenizer = *tokenizer,
            .chat_template = chat_template ? &*chat_template : nullptr,
            .chat_template_error = chat_template_error,
            .pooling = RemoteParts::pooling,
            .classifier = options.classifier.get(),
            .vocab = tokenizer->size(),
            .width = RemoteParts::width,
            .weights_bytes = options.weights_bytes,
            .vocabulary = [this] { return vocabulary(); }};
  }
  std::shared_ptr<const ConstraintVocabulary> vocabulary() {
    std::call_once(vocabulary_once_, [this] {
      vocabulary_ = ConstraintVocabulary::build(*tokenizer, tokenizer->size());
    });
    return vocabulary_;
  }

  std::once_flag vocabulary_once_;
  std::shared_ptr<const ConstraintVocabulary> vocabulary_;
};

}  // namespace

Result<std::unique_ptr<ServedModel>> make_remote_model(RemoteModelOptions options,
                                                       const Clock& clock) {
  CHECK(options.jobs != nullptr);
  RemoteParts parts;
  const Metadata& metadata = options.metadata;
  const std::string family = TRY(metadata.required_string("general.architecture"));
  parts.tokenizer = TRY(Tokenizer::load(metadata));
  parts.width = TRY(metadata.required_u32(family + ".embedding_length"));
  if (const auto source = TRY(metadata.string("tokenizer.chat_template"))) {
    auto parsed = ChatTemplate::parse(*source);
    if (parsed)
      parts.chat_template.emplace(*std::move(parsed));
    else
      parts.chat_template_error = parsed.error().message();
  }
  const std::string pooling_key = family + ".pooling_type";
  if (const auto pooling = TRY(metadata.u32(pooling_key))) {
    if (*pooling > static_cast<std::uint32_t>(PoolingType::rank))
      return Error(Errc::corrupt, fmt::format("{} is {}, expected 0 to 4", pooling_key, *pooling));
    parts.pooling = static_cast<PoolingType>(*pooling);
  }
  parts.options = std::move(options);
  return std::unique_ptr<ServedModel>(std::make_unique<RemoteModel>(std::move(parts), clock));
}

}  // namespace drystone

#include "engine/text_output.h"

#include <utility>

namespace drystone {

TextOutput::TextOutput(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
                       const Sink& sink)
    : decoder_(tokenizer, /*special=*/false), matcher_(stops), sink_(sink) {}

void TextOutput::push(Sampled token) {
  const TokenId id = token.id;
  waiting_.push_back(std::move(token));
  emit(matcher_.push(decoder_.push(id)), /*last=*/false);
}

void TextOutput::finish() {
  std::string text;
  if (!matcher_.matched()) text = matcher_.push(decoder_.flush());
  if (!matcher_.matched()) text += matcher_.flush();
  emit(std::move(text), /*last=*/true);
}

void TextOutput::emit(std::string text, bool last) {
  if (text.empty() && !(last && !waiting_.empty())) return;
  Delta delta{.text = std::move(text), .tokens = std::exchange(waiting_, {})};
  if (sink_) sink_(delta);
}

}  // namespace drystone

#include "engine/text_output.h"

#include <algorithm>
#include <utility>

namespace drystone {

TextOutput::TextOutput(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
                       const std::vector<TokenId>& visible, const Sink& sink)
    : tokenizer_(tokenizer),
      visible_(visible),
      decoder_(tokenizer, /*special=*/false),
      matcher_(stops),
      sink_(sink) {}

void TextOutput::push(Sampled token) {
  const TokenId id = token.id;
  waiting_.push_back(std::move(token));
  std::string text;
  if (std::ranges::find(visible_, id) != visible_.end())
    text = decoder_.flush() + tokenizer_.piece(id, /*special=*/true);
  else
    text = decoder_.push(id);
  emit(matcher_.push(text), /*last=*/false);
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

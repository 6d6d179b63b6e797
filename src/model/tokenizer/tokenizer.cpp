#include "model/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include "model/tokenizer/byte_level_bpe.h"
#include "model/tokenizer/escaped_bpe.h"
#include "model/tokenizer/sentencepiece.h"

namespace drystone {

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(const Metadata& metadata) {
  const std::string model = TRY(metadata.required_string("tokenizer.ggml.model"));
  if (model == "gpt2") {
    const auto pre = TRY(metadata.string("tokenizer.ggml.pre"));
    return pre == "gemma4" ? EscapedBpe::load(metadata) : ByteLevelBpe::load(metadata);
  }
  if (model == "gemma4") return EscapedBpe::load(metadata);
  if (model == "llama") return SentencePiece::load(metadata);
  return Error(
      Errc::unsupported,
      fmt::format("tokenizer.ggml.model: '{}' is not supported; known are gpt2, llama, gemma4",
                  model));
}

}  // namespace drystone

// Any text must come back byte for byte from what it was encoded to, whatever the pre-tokenizer.
#include <array>

#include "model/tokenizer/tiny_vocabulary.h"
#include "model/tokenizer/tokenizer.h"

namespace {

using namespace drystone;

std::unique_ptr<Tokenizer> load(const Metadata& metadata) {
  auto tokenizer = Tokenizer::load(metadata);
  CHECK(tokenizer.has_value());
  return std::move(*tokenizer);
}

const Tokenizer& pick(std::uint8_t choice) {
  static const std::array<std::unique_ptr<Tokenizer>, 13> all = {
      load(tiny_bpe_metadata("gpt-2")),        load(tiny_bpe_metadata("llama-bpe")),
      load(tiny_bpe_metadata("qwen2")),        load(tiny_bpe_metadata("qwen35")),
      load(tiny_bpe_metadata("gpt-4o")),       load(tiny_bpe_metadata("tekken")),
      load(tiny_bpe_metadata("kimi-k2")),      load(tiny_bpe_metadata("deepseek-v3")),
      load(tiny_bpe_metadata("deepseek-llm")), load(tiny_bpe_metadata("deepseek-coder")),
      load(tiny_bpe_metadata("default")),      load(tiny_bpe_metadata("minicpm5")),
      load(tiny_sentencepiece_metadata())};
  return *all[choice % all.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Tokenizer& tokenizer = pick(data[0]);
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const bool byte_level = tokenizer.family() != "SentencePiece";
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.parse_special = parse_special});
    StreamDecoder decoder(tokenizer, /*special=*/true);
    std::string streamed;
    for (const TokenId id : ids) {
      CHECK(id >= 0 && static_cast<std::uint32_t>(id) < tokenizer.size(), id);
      streamed += decoder.push(id);
    }
    streamed += decoder.flush();
    const std::string decoded = tokenizer.decode(ids, /*special=*/true);
    if (byte_level) CHECK(decoded == text, decoded);
    CHECK(streamed.size() >= text.size(), streamed.size(),
          text.size());  // replacement characters are longer than a byte
  }
  return 0;
}

// Hostile tokenizer metadata: loading gives a tokenizer that works or an error, nothing else.
#include "model/tokenizer/tiny_vocabulary.h"
#include "model/tokenizer/tokenizer.h"

namespace {

using namespace drystone;

// Takes decisions and strings from the input, zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  std::int64_t number() {
    const std::uint8_t kind = byte();
    if (kind < 200) return kind % 8;
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<std::int64_t>(value);
  }
  std::string text() {
    std::string result;
    for (std::uint8_t n = byte() % 12; n > 0; --n) result.push_back(static_cast<char>(byte()));
    return result;
  }
  std::string rest() {
    return std::string(reinterpret_cast<const char*>(data_ + at_), size_ - at_);
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_, at_ = 0;
};

MetadataValue any_value(Input& in) {
  switch (in.byte() % 7) {
    case 0:
      return in.number();
    case 1:
      return in.byte() % 2 == 0;
    case 2:
      return in.text();
    case 3: {
      std::vector<std::int64_t> values;
      for (int n = in.byte(); n > 0; --n) values.push_back(in.number());
      return MetadataArray(std::move(values));
    }
    case 4: {
      std::vector<double> values;
      for (int n = in.byte(); n > 0; --n) values.push_back(static_cast<double>(in.number()));
      return MetadataArray(std::move(values));
    }
    case 5:
      return static_cast<double>(in.number());
    default: {
      std::vector<std::string> values;
      for (int n = in.byte(); n > 0; --n) values.push_back(in.text());
      return MetadataArray(std::move(values));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* kKeys[] = {"model",         "pre",
                                   "tokens",        "scores",
                                   "token_type",    "merges",
                                   "bos_token_id",  "eos_token_id",
                                   "eot_token_id",  "unknown_token_id",
                                   "add_bos_token", "add_space_prefix"};
  constexpr const char* kModels[] = {"gpt2", "llama", "gemma4"};
  constexpr const char* kPres[] = {"gpt-2", "llama-bpe", "kimi-k2", "gemma4"};
  Input in(data, size);
  const std::uint8_t start = in.byte();
  Metadata metadata =
      start % 2 == 0 ? tiny_bpe_metadata(kPres[start / 2 % 4]) : tiny_sentencepiece_metadata();
  if (start >= 128) metadata.set("tokenizer.ggml.model", std::string(kModels[start % 3]));
  for (std::uint8_t changes = in.byte() % 6; changes > 0; --changes) {
    metadata.set(std::string("tokenizer.ggml.") + kKeys[in.byte() % std::size(kKeys)],
                 any_value(in));
  }
  const auto tokenizer = Tokenizer::load(metadata);
  if (!tokenizer) {
    CHECK(!tokenizer.error().message().empty());
    return 0;
  }
  const std::string text = "hello world 123 <s><|im_end|>" + in.rest();
  const auto ids = (*tokenizer)->encode(text, {.parse_special = true, .add_special = true});
  for (const TokenId id : ids)
    CHECK(id >= 0 && static_cast<std::uint32_t>(id) < (*tokenizer)->size(), id);
  (*tokenizer)->decode(ids, /*special=*/false);
  return 0;
}

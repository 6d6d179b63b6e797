#include "model/synth/synth_tokenizer.h"

#include <fmt/format.h>

#include <string>

namespace drystone {
namespace {

constexpr std::int64_t kNormal = 1, kUnknown = 2, kControl = 3,
                       kByte = 6;  // tokenizer.ggml.token_type
constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxz";
constexpr std::string_view kWordStart = "\u2581";  // SentencePiece's space

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int64_t> types;
  std::vector<std::string> merges;  // BPE only

  void add(std::string token, std::int64_t type) {
    tokens.push_back(std::move(token));
    types.push_back(type);
  }
};

Error too_large(const ModelConfig& config, std::size_t most) {
  return {
      Errc::invalid_argument,
      fmt::format("a vocabulary of {} tokens is too large for a synthetic tokenizer: at most {}",
                  config.vocab, most)};
}

Error too_small(const ModelConfig& config, std::size_t least) {
  return {Errc::invalid_argument, fmt::format("a vocabulary of {} tokens is too small: every byte "
                                              "is a token, so at least {} are needed",
                                              config.vocab, least)};
}

// Runs of letters, short ones first: each is a run of one letter less and a letter.
template <typename Use>
void for_each_run(std::size_t count, std::vector<std::string> runs, const Use& use) {
  for (std::size_t at = 0; at < runs.size() && count > 0; ++at)
    for (std::size_t i = 0; i < kLetters.size() && count > 0; ++i, --count) {
      runs.push_back(runs[at] + kLetters[i]);
      use(runs[at], kLetters[i]);
    }
}

constexpr std::size_t kRunsMax = 1u << 20;

std::string utf8(std::uint32_t code_point) {  // below 0x800
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xc0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3f))};
}

// Byte-level BPE writes bytes as printable characters: themselves where they are, else from 256 up.
bool is_printable(int byte) { return (byte > 32 && byte < 127) || (byte > 160 && byte != 173); }

Result<Vocabulary> byte_level_bpe(const ModelConfig& config) {
  constexpr std::string_view kControls[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  const std::size_t fixed = 256 + std::size(kControls);
  if (config.vocab < fixed) return too_small(config, fixed);
  if (config.vocab - fixed > kRunsMax) return too_large(config, fixed + kRunsMax);
  Vocabulary vocabulary;
  std::uint32_t unprintable = 256;
  for (int byte = 0; byte < 256; ++byte)
    vocabulary.add(utf8(is_printable(byte) ? static_cast<std::uint32_t>(byte) : unprintable++),
                   kNormal);
  std::vector<std::string> letters;
  for (const char letter : kLetters) letters.emplace_back(1, letter);
  for_each_run(config.vocab - fixed, letters, [&](const std::string& run, char letter) {
    vocabulary.add(run + letter, kNormal);
    vocabulary.merges.push_back(run + ' ' + letter);
  });
  for (const auto control : kControls) vocabulary.add(std::string(control), kControl);
  return vocabulary;
}

Result<Vocabulary> sentence_piece(const ModelConfig& config) {
  const std::size_t fixed = 3 + 256 + 1 + kLetters.size();
  if (config.vocab < fixed) return too_small(config, fixed);
  if (config.vocab - fixed > kRunsMax) return too_large(config, fixed + kRunsMax);
  Vocabulary vocabulary;
  vocabulary.add("<unk>", kUnknown);
  vocabulary.add("<s>", kControl);
  vocabulary.add("</s>", kControl);
  for (int byte = 0; byte < 256; ++byte) vocabulary.add(fmt::format("<0x{:02X}>", byte), kByte);
  vocabulary.add(std::string(kWordStart), kNormal);
  std::vector<std::string> starts = {std::string(kWordStart)};
  for (const char letter : kLetters) {
    vocabulary.add(std::string(1, letter), kNormal);
    starts.emplace_back(1, letter);
  }
  for_each_run(config.vocab - fixed, starts,
               [&](const std::string& run, char letter) { vocabulary.add(run + letter, kNormal); });
  return vocabulary;
}

MetadataArray scores(const Vocabulary& vocabulary) {
  std::vector<double> scores(vocabulary.tokens.size(), 0);
  for (std::size_t i = 259; i < scores.size(); ++i) scores[i] = -static_cast<double>(i - 259);
  return scores;
}

void write_ids(Metadata& metadata, std::int64_t bos, std::int64_t eos, std::int64_t padding) {
  metadata.set("tokenizer.ggml.bos_token_id", bos);
  metadata.set("tokenizer.ggml.eos_token_id", eos);
  metadata.set("tokenizer.ggml.padding_token_id", padding);
}

// ChatML; tools and calls as models of the Hermes kind write them.
constexpr const char* kChatTemplate =
    R"({% if tools %}{{ '<|im_start|>system\nTools:\n' }}{% for tool in tools %})"
    R"({{ tool | tojson + '\n' }}{% endfor %})"
    R"({{ 'Call them so: <tool_call>{"name": NAME, "arguments": OBJECT}</tool_call><|im_end|>\n' }})"
    R"({% endif %}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }})"
    R"({{ message['content'] }}{% if message['tool_calls'] %}{% for call in message['tool_calls'] %})"
    R"({{ '\n<tool_call>\n{"name": "' + call['function']['name'] + '", "arguments": ' }})"
    R"({{ call['function']['arguments'] | tojson + '}\n</tool_call>' }}{% endfor %}{% endif %})"
    R"({{ '<|im_end|>\n' }}{% endfor %})"
    R"({% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

}  // namespace

Result<std::vector<std::uint32_t>> write_synth_tokenizer(const ModelConfig& config,
                                                         Metadata& metadata) {
  const bool bpe = config.architecture.starts_with("qwen");
  Vocabulary vocabulary = TRY(bpe ? byte_level_bpe(config) : sentence_piece(config));
  metadata.set("tokenizer.ggml.model", std::string(bpe ? "gpt2" : "llama"));
  metadata.set("tokenizer.ggml.add_bos_token", !bpe);
  metadata.set("tokenizer.ggml.add_eos_token", false);
  if (bpe) {
    const std::int64_t end_of_text = std::int64_t{config.vocab} - 3;
    metadata.set("tokenizer.ggml.pre", std::string("qwen2"));
    metadata.set("tokenizer.ggml.merges", MetadataArray(std::move(vocabulary.merges)));
    metadata.set("tokenizer.chat_template", std::string(kChatTemplate));
    write_ids(metadata, end_of_text, std::int64_t{config.vocab} - 1, end_of_text);
  } else {
    metadata.set("tokenizer.ggml.pre", std::string("default"));
    metadata.set("tokenizer.ggml.scores", scores(vocabulary));
    metadata.set("tokenizer.ggml.add_space_prefix", config.architecture != "gemma3");
    metadata.set("tokenizer.ggml.unknown_token_id", std::int64_t{0});
    write_ids(metadata, /*bos=*/1, /*eos=*/2, /*padding=*/2);
  }
  std::vector<std::uint32_t> controls;
  for (std::uint32_t i = 0; i < vocabulary.types.size(); ++i)
    if (vocabulary.types[i] == kControl || vocabulary.types[i] == kUnknown) controls.push_back(i);
  metadata.set("tokenizer.ggml.tokens", MetadataArray(std::move(vocabulary.tokens)));
  metadata.set("tokenizer.ggml.token_type", MetadataArray(std::move(vocabulary.types)));
  return controls;
}

}  // namespace drystone

#include "model/tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <cmath>

namespace drystone {
namespace {

Error corrupt(std::string_view key, std::string_view problem) {
  return Error(Errc::corrupt, fmt::format("tokenizer.ggml.{}: {}", key, problem));
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Result<Vocabulary> Vocabulary::load(const Metadata& metadata, const VocabularyDefaults& defaults) {
  Vocabulary vocabulary;
  TRY(vocabulary.load_tokens(metadata));
  TRY(vocabulary.load_kinds(metadata));
  TRY(vocabulary.load_scores(metadata));
  TRY(vocabulary.load_special_ids(metadata, defaults));
  TRY(vocabulary.find_ends_of_generation(metadata));
  TRY(vocabulary.find_stripping_tokens(metadata));
  return vocabulary;
}

Result<void> Vocabulary::load_tokens(const Metadata& metadata) {
  const auto* tokens = metadata.strings("tokenizer.ggml.tokens");
  if (tokens == nullptr || tokens->empty())
    return corrupt("tokens", "missing, or not an array of strings");
  if (tokens->size() > kTokensMax) {
    return corrupt("tokens", fmt::format("{} tokens, more than the maximum of {}", tokens->size(),
                                         kTokensMax));
  }
  std::size_t bytes = 0;
  for (const std::string& token : *tokens) bytes += token.size();
  texts_.reserve(tokens->size(), bytes);
  index_ = StringIndex(tokens->size());
  for (const std::string& token : *tokens) {
    const std::uint32_t id = texts_.add(token);
    if (!token.empty())
      index_.insert(texts_, id);  // an empty one is padding: nothing encodes to it
  }
  return {};
}

Result<void> Vocabulary::load_kinds(const Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  kinds_.assign(size(), TokenKind::normal);
  if (metadata.find(kKey) == nullptr) return {};
  const auto* kinds = metadata.integers(kKey);
  if (kinds == nullptr) return corrupt("token_type", "expected an array of integers");
  if (kinds->size() < size()) {
    return corrupt("token_type", fmt::format("{} entries for {} tokens", kinds->size(), size()));
  }
  for (std::uint32_t i = 0; i < size(); ++i) {
    const std::int64_t kind = (*kinds)[i];
    if (kind < 0 || kind > 6)
      return corrupt("token_type", fmt::format("entry {} is {}, expected 0..6", i, kind));
    if (kind != 0) kinds_[i] = static_cast<TokenKind>(kind);  // 0 is "undefined": taken as normal
  }
  return {};
}

Result<void> Vocabulary::load_scores(const Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.scores";
  if (metadata.find(kKey) == nullptr) return {};
  const auto* floats = metadata.doubles(kKey);
  const auto* integers = metadata.integers(kKey);
  if (floats == nullptr && integers == nullptr)
    return corrupt("scores", "expected an array of numbers");
  const std::size_t count = floats != nullptr ? floats->size() : integers->size();
  if (count < size())
    return corrupt("scores", fmt::format("{} entries for {} tokens", count, size()));
  scores_.resize(size());
  for (std::uint32_t i = 0; i < size(); ++i) {
    scores_[i] =
        floats != nullptr ? static_cast<float>((*floats)[i]) : static_cast<float>((*integers)[i]);
    if (std::isnan(scores_[i]))
      return corrupt("scores", fmt::format("entry {} is not a number", i));
  }
  return {};
}

Result<std::optional<TokenId>> Vocabulary::token_id(const Metadata& metadata,
                                                    std::string_view key) const {
  const auto id = TRY(metadata.u32(fmt::format("tokenizer.ggml.{}", key)));
  if (!id || *id == ~0u) return std::optional<TokenId>();  // -1 is written for "none"
  if (*id >= size())
    return corrupt(key, fmt::format("{} is not one of the {} tokens", *id, size()));
  return std::optional(static_cast<TokenId>(*id));
}

Result<void> Vocabulary::load_special_ids(const Metadata& metadata,
                                          const VocabularyDefaults& defaults) {
  const auto in_range = [&](std::optional<TokenId> id) {
    return id && static_cast<std::uint32_t>(*id) < size() ? id : std::nullopt;
  };
  bos = TRY(token_id(metadata, "bos_token_id"));
  eos = TRY(token_id(metadata, "eos_token_id"));
  unknown = TRY(token_id(metadata, "unknown_token_id"));
  if (!bos) bos = in_range(defaults.bos);
  if (!eos) eos = in_range(defaults.eos);
  if (!unknown) unknown = in_range(defaults.unknown);
  add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token")).value_or(defaults.add_bos) && bos;
  add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token")).value_or(defaults.add_eos) && eos;
  add_space_prefix = TRY(metadata.boolean("tokenizer.ggml.add_space_prefix"));
  return {};
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  const std::uint32_t i = index_.find(texts_, text);
  return i == StringIndex::kNone ? std::nullopt : std::optional(static_cast<TokenId>(i));
}

std::optional<TokenId> Vocabulary::byte_token(unsigned char byte) const {
  if (const auto id = find(fmt::format("<0x{:02X}>", byte))) return id;
  const char text = static_cast<char>(byte);
  return find(std::string_view(&text, 1));
}

std::optional<char> Vocabulary::byte_of(TokenId id) const {
  const std::string_view form = text(id);
  if (form.size() != 6 || !form.starts_with("<0x") || form[5] != '>') return std::nullopt;
  const int high = hex_digit(form[3]), low = hex_digit(form[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

void Vocabulary::end_at(std::optional<TokenId> id) {
  if (id) ends_[static_cast<std::size_t>(*id)] = true;
}

// Files name one end token; what ends a turn is known by its text.
Result<void> Vocabulary::find_ends_of_generation(const Metadata& metadata) {
  constexpr std::string_view kEnds[] = {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<|return|>",
                                        "<|call|>",
                                        "<|flush|>",
                                        "<|calls|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "</s>",
                                        "<|eom_id|>",
                                        "<EOT>",
                                        "_<EOT>",
                                        "[EOT]",
                                        "[EOS]",
                                        "<eos>",
                                        "<turn|>",
                                        "[e~[",
                                        "<|end_of_text|>",
                                        "<end_of_utterance>",
                                        "<|tool_response>",
                                        "<｜end▁of▁sentence｜>"};
  constexpr std::string_view kFimEnds[] = {"<|fim_pad|>", "<fim-pad>",     "<fim_pad>",   "<PAD>",
                                           "[PAD]",       "<|fim_repo|>",  "<fim-repo>",  "<REPO>",
                                           "<reponame>",  "<|repo_name|>", "<|file_sep|>"};
  ends_.assign(size(), false);
  const auto end_at_name = [&](std::string_view name) {
    const auto id = find(name);
    end_at(id);
    if (id)
      kinds_[static_cast<std::size_t>(*id)] = TokenKind::control;  // some files call them normal
  };
  for (const auto name : kEnds) end_at_name(name);
  for (const auto name : kFimEnds) end_at_name(name);
  for (const char* key : {"fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id",
                          "eot_token_id", "eom_token_id"}) {
    end_at(TRY(token_id(metadata, key)));
  }
  end_at(eos);
  // The frame of gpt-oss messages is always shown: its parser needs it, and `<|end|>` closes a
  // part, not the answer.
  for (const char* name : {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}) {
    if (const auto id = find(name)) kinds_[static_cast<std::size_t>(*id)] = TokenKind::user_defined;
  }
  const bool call = find("<|call|>") || find("<|calls|>");
  const auto end = find("<|end|>");
  if (end && call && (find("<|return|>") || find("<|flush|>"))) {
    ends_[static_cast<std::size_t>(*end)] = false;
    kinds_[static_cast<std::size_t>(*end)] = TokenKind::user_defined;
  }
  const auto s = find("</s>");
  if (s && find("<|tool_response>")) {  // Gemma 4: an HTML tag there
    ends_[static_cast<std::size_t>(*s)] = false;
    kinds_[static_cast<std::size_t>(*s)] = TokenKind::normal;
  }
  return {};
}

// Which special tokens swallow the white space beside them is not in the files, but known for some
// models.
Result<void> Vocabulary::find_stripping_tokens(const Metadata& metadata) {
  const std::string name = lower_case(TRY(metadata.string("general.name")).value_or(""));
  const std::string pre = TRY(metadata.string("tokenizer.ggml.pre")).value_or("");
  const auto mark_left = [&](std::string_view token) {
    strips_left_.assign(size(), false);
    if (const auto id = find(token)) strips_left_[static_cast<std::size_t>(*id)] = true;
  };
  if (pre == "jina-v2-de" || pre == "jina-v2-es" || pre == "jina-v2-code") {
    mark_left("<mask>");
  } else if (name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos) {
    strips_right_.assign(size(), false);
    for (std::uint32_t i = 0; i < size(); ++i) {
      const TokenKind kind = kinds_[i];
      strips_right_[i] = kind == TokenKind::control || kind == TokenKind::user_defined ||
                         kind == TokenKind::unknown;
    }
    for (const char* plain : {"<unk>", "<s>", "<|endoftext|>"}) {
      if (const auto id = find(plain)) strips_right_[static_cast<std::size_t>(*id)] = false;
    }
  } else if (name.find("modern-bert") != std::string::npos) {
    mark_left("[MASK]");
  }
  return {};
}

}  // namespace drystone

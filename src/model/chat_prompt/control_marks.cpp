#include "model/chat_prompt/control_marks.h"

#include <algorithm>

namespace drystone {
namespace {

// A code point that Unicode reserves for use inside programs. It stands after the first character
// of a spelled-out control token while the template runs; templates trim and split, but keep it.
constexpr std::string_view kMark = "\uFDD0";

std::size_t first_character_bytes(std::string_view text) {
  std::size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
  return bytes;
}

void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

std::string without_marks(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find(kMark), text.size());
    out += text.substr(0, at);
    text.remove_prefix(std::min(at + kMark.size(), text.size()));
  }
  return out;
}

}  // namespace

ControlMarks::ControlMarks(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (TokenId id = 0; id < static_cast<TokenId>(tokenizer.size()); ++id) {
    const std::string_view text = tokenizer.text(id);
    if (tokenizer.kind(id) != TokenKind::control || text.size() < 2) continue;
    control_tokens_[static_cast<unsigned char>(text[0])].emplace_back(text);
  }
  for (auto& tokens : control_tokens_)
    std::sort(tokens.begin(), tokens.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

const std::string* ControlMarks::control_token_at(std::string_view text) const {
  for (const std::string& token : control_tokens_[static_cast<unsigned char>(text[0])])
    if (text.starts_with(token)) return &token;
  return nullptr;
}

std::string ControlMarks::marked(std::string_view given) const {
  const std::string clean = without_marks(given);  // First: a mark may stand within a token.
  std::string_view text = clean;
  std::string out;
  while (!text.empty()) {
    const std::string* token = control_token_at(text);
    const std::size_t first = token == nullptr ? 1 : first_character_bytes(text);
    out += text.substr(0, first);
    if (token != nullptr) out += kMark;
    text.remove_prefix(first);
  }
  return out;
}

// The whole text at once, so that words join as in training; only a spelled-out control token is
// cut out and encoded by itself, as plain text.
std::vector<TokenId> ControlMarks::encode(std::string_view rest, bool add_special) const {
  std::vector<TokenId> ids;
  const auto encode_template_text = [&](std::string_view text) {
    append(ids, tokenizer_.encode(
                    text, {.parse_special = true, .add_special = add_special && ids.empty()}));
  };
  for (std::size_t at = rest.find(kMark); at != std::string_view::npos; at = rest.find(kMark)) {
    std::size_t begin = at;  // of the character before the mark
    while (begin > 0 && (static_cast<unsigned char>(rest[--begin]) & 0xC0) == 0x80) {
    }
    const std::string spelled = without_marks(rest.substr(begin));
    const std::string* token = spelled.empty() ? nullptr : control_token_at(spelled);
    std::size_t end = at + kMark.size();  // behind what is encoded as plain text
    if (token != nullptr)
      for (std::size_t bytes = at - begin; bytes < token->size() && end < rest.size();) {
        const bool another = rest.substr(end).starts_with(kMark);
        end += another ? kMark.size() : 1;
        bytes += another ? 0 : 1;
      }
    encode_template_text(rest.substr(0, begin));
    append(ids, tokenizer_.encode(without_marks(rest.substr(begin, end - begin)), {}));
    rest.remove_prefix(end);
  }
  encode_template_text(rest);
  return ids;
}

}  // namespace drystone

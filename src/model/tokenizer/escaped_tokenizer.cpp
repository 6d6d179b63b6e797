#include "model/tokenizer/escaped_tokenizer.h"

namespace drystone {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581

}  // namespace

EscapedTokenizer::EscapedTokenizer(Vocabulary loaded, bool space_prefix)
    : VocabularyTokenizer(std::move(loaded)), space_prefix_(space_prefix) {
  for (int byte = 0; byte < 256; ++byte) {
    byte_tokens_[byte] = vocabulary().byte_token(static_cast<unsigned char>(byte));
    if (!byte_tokens_[byte]) byte_tokens_[byte] = vocabulary().unknown;
  }
}

std::string EscapedTokenizer::escape(std::string_view text, bool first) const {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 2 + 3);
  if (first && space_prefix_) escaped = kEscapedSpace;
  for (const char c : text) {
    if (c == ' ') {
      escaped += kEscapedSpace;
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string EscapedTokenizer::text_bytes(TokenId id) const {
  if (kind(id) == TokenKind::byte) {
    if (const auto byte = vocabulary().byte_of(id)) return std::string(1, *byte);
  }
  std::string result;
  std::string_view rest = text(id);
  for (std::size_t at; (at = rest.find(kEscapedSpace)) != std::string_view::npos;) {
    result.append(rest.substr(0, at)).push_back(' ');
    rest.remove_prefix(at + kEscapedSpace.size());
  }
  return result.append(rest);
}

std::string EscapedTokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string result;
  bool first = true;  // the space that encode() put in front is not part of the text
  for (const TokenId id : ids) {
    std::string text = piece(id, special);
    const bool is_text = kind(id) == TokenKind::normal || kind(id) == TokenKind::byte;
    if (space_prefix_ && first && is_text && text.starts_with(' ')) text.erase(0, 1);
    first = !is_text;
    result += text;
  }
  return result;
}

void EscapedTokenizer::append_bytes(std::string_view text, std::vector<TokenId>& ids) const {
  for (const char byte : text) {
    if (const auto id = byte_tokens_[static_cast<unsigned char>(byte)]) ids.push_back(*id);
  }
}

}  // namespace drystone

#include "model/tokenizer/vocabulary_tokenizer.h"

namespace drystone {

std::vector<TokenId> VocabularyTokenizer::encode(std::string_view text,
                                                 const EncodeOptions& options) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 2);
  const bool begin = options.add_special && vocabulary_.add_bos,
             end = options.add_special && vocabulary_.add_eos;
  if (begin) ids.push_back(*vocabulary_.bos);
  bool first = true;
  for (const Fragment& fragment : special_tokens_.partition(text, options.parse_special)) {
    if (fragment.is_token()) {
      const bool doubled = begin && ids.size() == 1 && fragment.token == *vocabulary_.bos;
      if (!doubled) ids.push_back(fragment.token);
    } else {
      encode_text(fragment.text, first, ids);
    }
    first = fragment.is_token();
  }
  if (end && (ids.empty() || ids.back() != *vocabulary_.eos)) ids.push_back(*vocabulary_.eos);
  return ids;
}

std::string VocabularyTokenizer::piece(TokenId id, bool special) const {
  switch (kind(id)) {
    case TokenKind::control:
    case TokenKind::unknown:
      return special ? std::string(text(id)) : "";
    case TokenKind::user_defined:
      return std::string(text(id));
    case TokenKind::unused:
      return "";
    case TokenKind::normal:
    case TokenKind::byte:
      break;
  }
  return text_bytes(id);
}

std::string VocabularyTokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string result;
  for (const TokenId id : ids) result += piece(id, special);
  return result;
}

}  // namespace drystone

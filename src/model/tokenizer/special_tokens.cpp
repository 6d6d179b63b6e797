#include "model/tokenizer/special_tokens.h"

#include <algorithm>

namespace drystone {
namespace {

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) : vocabulary_(vocabulary), nodes_(1) {
  for (std::uint32_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const TokenKind kind = vocabulary.kind(id);
    const bool special =
        kind == TokenKind::control || kind == TokenKind::user_defined || kind == TokenKind::unknown;
    if (special && vocabulary.find(vocabulary.text(id)) == id) by_length_.push_back(id);
  }
  std::stable_sort(by_length_.begin(), by_length_.end(), [&](TokenId a, TokenId b) {
    return vocabulary.text(a).size() > vocabulary.text(b).size();
  });
  for (std::size_t i = 0; i < by_length_.size(); ++i) {
    insert(vocabulary.text(by_length_[i]), static_cast<std::int32_t>(i));
  }
}

std::uint32_t SpecialTokens::child_of(std::uint32_t node, char byte) const {
  std::uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

void SpecialTokens::insert(std::string_view text, std::int32_t order) {
  starts_[static_cast<unsigned char>(text[0])] = true;
  std::uint32_t node = 0;
  for (const char byte : text) {
    std::uint32_t child = child_of(node, byte);
    if (child == 0) {
      child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.sibling = nodes_[node].child, .byte = byte});
      nodes_[node].child = child;
    }
    node = child;
  }
  nodes_[node].order = order;
}

// Which of by_length_ stand anywhere in `text`: one scan, as most texts hold none of thousands.
std::vector<bool> SpecialTokens::occurring(std::string_view text) const {
  std::vector<bool> found;
  for (std::size_t start = 0; start < text.size(); ++start) {
    if (!starts_[static_cast<unsigned char>(text[start])]) continue;
    std::uint32_t node = 0;
    for (std::size_t at = start; at < text.size(); ++at) {
      node = child_of(node, text[at]);
      if (node == 0) break;
      if (nodes_[node].order < 0) continue;
      if (found.empty()) found.resize(by_length_.size());
      found[static_cast<std::size_t>(nodes_[node].order)] = true;
    }
  }
  return found;
}

std::vector<Fragment> SpecialTokens::partition(std::string_view text, bool parse_special) const {
  std::vector<Fragment> fragments;
  if (text.empty()) return fragments;
  fragments.push_back({.text = text});
  const std::vector<bool> found = occurring(text);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const TokenId id = by_length_[i];
    if (!found[i] || (!parse_special && vocabulary_.kind(id) != TokenKind::user_defined)) continue;
    split_at(id, fragments);
  }
  return fragments;
}

void SpecialTokens::split_at(TokenId id, std::vector<Fragment>& fragments) const {
  const std::string_view token = vocabulary_.text(id);
  std::vector<Fragment> result;
  for (const Fragment& fragment : fragments) {
    if (fragment.is_token()) {
      result.push_back(fragment);
      continue;
    }
    std::string_view rest = fragment.text;
    for (std::size_t at; (at = rest.find(token)) != std::string_view::npos;) {
      std::string_view left = rest.substr(0, at);
      const std::string_view matched = rest.substr(at, token.size());
      rest.remove_prefix(at + token.size());
      if (vocabulary_.strips_left(id)) {
        while (!left.empty() && is_ascii_space(left.back())) left.remove_suffix(1);
      }
      if (vocabulary_.strips_right(id)) {
        while (!rest.empty() && is_ascii_space(rest.front())) rest.remove_prefix(1);
      }
      if (!left.empty()) result.push_back({.text = left});
      result.push_back({.text = matched, .token = id});
    }
    if (!rest.empty()) result.push_back({.text = rest});
  }
  fragments = std::move(result);
}

}  // namespace drystone

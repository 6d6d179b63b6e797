#include "engine/constraint/vocabulary.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "engine/constraint/limits.h"

namespace drystone {

std::shared_ptr<const ConstraintVocabulary> ConstraintVocabulary::build(const Source& source) {
  auto made = std::make_shared<ConstraintVocabulary>();
  ConstraintVocabulary& vocabulary = *made;
  vocabulary.size_ = source.size;
  vocabulary.visible_ = source.visible;
  std::vector<std::string> texts(source.size);
  for (TokenId id = 0; id < static_cast<TokenId>(source.size); ++id) {
    if (source.is_end_of_generation(id)) {
      vocabulary.end_tokens_.push_back(id);
    } else if (!source.is_control(id)) {
      std::string bytes = source.bytes(id);
      if (bytes.size() <= constraint::kTokenBytesMax)
        texts[static_cast<std::size_t>(id)] = std::move(bytes);
    }
  }
  for (const std::string& text : texts) {
    vocabulary.offsets_.push_back(static_cast<std::uint32_t>(vocabulary.text_.size()));
    vocabulary.text_.insert(vocabulary.text_.end(), text.begin(), text.end());
    if (text.size() == 1) vocabulary.single_bytes_.set(static_cast<std::uint8_t>(text[0]));
    vocabulary.longest_bytes_ =
        std::max(vocabulary.longest_bytes_, static_cast<std::uint32_t>(text.size()));
  }
  vocabulary.offsets_.push_back(static_cast<std::uint32_t>(vocabulary.text_.size()));

  std::vector<TokenId> order(source.size);
  std::iota(order.begin(), order.end(), 0);
  const auto text = [&](TokenId id) -> const std::string& {
    return texts[static_cast<std::size_t>(id)];
  };
  std::erase_if(order, [&](TokenId id) { return text(id).empty(); });
  std::sort(order.begin(), order.end(),
            [&](TokenId a, TokenId b) { return text(a) != text(b) ? text(a) < text(b) : a < b; });

  std::vector<std::uint32_t> path;  // the nodes from the root to the last one
  std::string last;
  const auto leave = [&](std::size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      Node& node = vocabulary.nodes_[path.back()];
      node.skip = static_cast<std::uint32_t>(vocabulary.nodes_.size());
      if (path.size() < 2) continue;
      Node& above = vocabulary.nodes_[path[path.size() - 2]];
      above.reach = std::max(above.reach, node.reach);
    }
  };
  for (const TokenId id : order) {
    const std::string& bytes = text(id);
    const auto differs = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
    leave(static_cast<std::size_t>(differs.first - last.begin()));
    while (path.size() < bytes.size()) {
      path.push_back(static_cast<std::uint32_t>(vocabulary.nodes_.size()));
      vocabulary.nodes_.push_back({static_cast<std::uint8_t>(bytes[path.size() - 1]),
                                   static_cast<std::uint8_t>(path.size()),
                                   static_cast<std::uint8_t>(path.size()), 0,
                                   static_cast<std::uint32_t>(vocabulary.ids_.size())});
    }
    vocabulary.ids_.push_back(id);
    last = bytes;
  }
  leave(0);
  vocabulary.nodes_.push_back({0, 0, 0, static_cast<std::uint32_t>(vocabulary.nodes_.size() + 1),
                               static_cast<std::uint32_t>(vocabulary.ids_.size())});
  vocabulary.by_length_ = vocabulary.ids_;
  std::stable_sort(vocabulary.by_length_.begin(), vocabulary.by_length_.end(),
                   [&](TokenId a, TokenId b) { return text(a).size() > text(b).size(); });
  return made;
}

std::shared_ptr<const ConstraintVocabulary> ConstraintVocabulary::build(
    const Tokenizer& tokenizer, std::uint32_t size, std::span<const TokenId> visible) {
  const auto is_visible = [&](TokenId id) {
    return std::find(visible.begin(), visible.end(), id) != visible.end();
  };
  CHECK(size >= tokenizer.size(), size, tokenizer.size());
  const auto has_text = [&](TokenId id) {
    if (id >= static_cast<TokenId>(tokenizer.size())) return false;
    const TokenKind kind = tokenizer.kind(id);
    return is_visible(id) || kind == TokenKind::normal || kind == TokenKind::user_defined ||
           kind == TokenKind::byte;
  };
  return build({.size = size,
                .bytes = [&](TokenId id) { return tokenizer.piece(id, is_visible(id)); },
                .is_control = [&](TokenId id) { return !has_text(id); },
                .is_end_of_generation =
                    [&](TokenId id) {
                      return id < static_cast<TokenId>(tokenizer.size()) &&
                             tokenizer.is_end_of_generation(id);
                    },
                .visible = {visible.begin(), visible.end()}});
}

bool ConstraintVocabulary::is_end_of_generation(TokenId id) const {
  return std::binary_search(end_tokens_.begin(), end_tokens_.end(), id);
}

std::span<const TokenId> ConstraintVocabulary::longer_than(std::uint32_t length) const {
  const auto end = std::partition_point(by_length_.begin(), by_length_.end(),
                                        [&](TokenId id) { return bytes(id).size() > length; });
  return {by_length_.data(), static_cast<std::size_t>(end - by_length_.begin())};
}

std::span<const std::uint8_t> ConstraintVocabulary::bytes(TokenId id) const {
  const auto at = static_cast<std::size_t>(id);
  return {text_.data() + offsets_[at], offsets_[at + 1] - offsets_[at]};
}

}  // namespace drystone

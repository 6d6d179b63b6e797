#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/unicode.h"

namespace drystone {
namespace {

// Bytes that belong to no character become U+FFFD, one for each.
std::string valid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Char c = char_at(bytes, at);
    if (c.code == 0xFFFD) {
      text += "\xEF\xBF\xBD";
    } else {
      text.append(bytes.substr(at, c.bytes));
    }
    at += c.bytes;
  }
  return text;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool special)
    : tokenizer_(tokenizer), special_(special) {}

std::string StreamDecoder::push(TokenId id) {
  held_ += tokenizer_.piece(id, special_);
  const std::size_t complete = held_.size() - incomplete_utf8_suffix(held_);
  std::string text = valid_utf8(std::string_view(held_).substr(0, complete));
  held_.erase(0, complete);
  return text;
}

std::string StreamDecoder::flush() {
  std::string text = valid_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace drystone

#include "model/tokenizer/split_pass.h"

namespace drystone {
namespace {

bool is_newline(const Char& c) { return c.code == '\r' || c.code == '\n'; }

// Skips characters of `classes` from `at` on.
std::size_t skip(std::string_view text, std::size_t at, CharMask classes) {
  for (Char c; (c = char_at(text, at)).is(classes);) at += c.bytes;
  return at;
}

char32_t ascii_lower(char32_t code) {
  return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
}

// Bytes of an English contraction ('s 't 'm 'd 're 've 'll) at `at`; 0: none.
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
  if (at + 1 >= text.size() || text[at] != '\'') return 0;
  const auto letter = [&](std::size_t i) -> char32_t {
    if (at + i >= text.size()) return 0;
    const auto byte = static_cast<unsigned char>(text[at + i]);
    return any_case ? ascii_lower(byte) : byte;
  };
  const char32_t first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const bool three = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                     (first == 'l' && second == 'l');
  return three ? 3 : 0;
}

// `\s+(?!\S)|\s+`: white space but for its last character, which the next word takes.
std::size_t white_space_end(std::string_view text, std::size_t at) {
  std::size_t last = at, end = at;
  for (Char c; (c = char_at(text, end)).is(kSpace);) {
    last = end;
    end += c.bytes;
  }
  return end == text.size() || last == at ? end : last;
}

// `\s*[\r\n]+`: to the last newline of this white space; 0: it has none.
std::size_t last_newline_end(std::string_view text, std::size_t at) {
  std::size_t end = 0;
  for (Char c; (c = char_at(text, at)).is(kSpace);) {
    at += c.bytes;
    if (is_newline(c)) end = at;
  }
  return end;
}

std::size_t skip_newlines(std::string_view text, std::size_t at, bool slashes) {
  while (at < text.size() && (text[at] == '\r' || text[at] == '\n' || (slashes && text[at] == '/')))
    ++at;
  return at;
}

class Gpt2Pass : public SplitPass {
 public:
  void split(std::string_view text, std::size_t offset, PieceEnds& ends) const override {
    for (std::size_t at = 0; at < text.size();) ends.push_back(offset + (at = next(text, at)));
  }

 private:
  static std::size_t next(std::string_view text, std::size_t at) {
    if (const std::size_t bytes = contraction(text, at, /*any_case=*/false)) return at + bytes;
    const std::size_t start = at + (text[at] == ' ' ? 1 : 0);
    const Char c = char_at(text, start);
    if (c.is(kLetter)) return skip(text, start, kLetter);
    if (c.is(kNumber)) return skip(text, start, kNumber);
    constexpr CharMask kRest = kMark | kPunctuation | kSymbol | kOther;
    if (c.is(kRest)) return skip(text, start, kRest);
    return white_space_end(text, at);
  }
};

bool is_han(char32_t c) {
  if (c < 0x2E80) return false;
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x2E80 && c <= 0x2FD5) || c == 0x3005 || c == 0x3007 ||
         (c >= 0x3021 && c <= 0x3029) || (c >= 0x3038 && c <= 0x303B) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x2FA1F) ||
         (c >= 0x30000 && c <= 0x323AF);
}

class WordPass : public SplitPass {
 public:
  explicit WordPass(const WordRules& rules) : rules_(rules), punctuation_(kRest & ~rules.word) {}

  void split(std::string_view text, std::size_t offset, PieceEnds& ends) const override {
    for (std::size_t at = 0; at < text.size();) ends.push_back(offset + (at = next(text, at)));
  }

 private:
  static constexpr CharMask kRest = kMark | kPunctuation | kSymbol | kOther;

  std::size_t next(std::string_view text, std::size_t at) const {
    if (rules_.contractions_first) {
      if (const std::size_t bytes = contraction(text, at, /*any_case=*/true)) return at + bytes;
    }
    const Char c = char_at(text, at);
    if (rules_.han_apart && is_han(c.code)) return skip_han(text, at);
    if (const std::size_t end = word(text, at, c)) return end;
    if (c.is(kNumber)) return skip_digits(text, at);
    const std::size_t start = at + (c.code == ' ' ? 1 : 0);
    if (char_at(text, start).is(punctuation_)) {
      const std::size_t end = skip(text, start, punctuation_);
      return rules_.newline_ends ? skip_newlines(text, end, rules_.slash_ends) : end;
    }
    if (const std::size_t end = last_newline_end(text, at)) return end;
    return c.is(kSpace) ? white_space_end(text, at) : at + c.bytes;
  }

  // A word with at most one other character before it, which is neither newline, letter nor number.
  // 0: none here.
  std::size_t word(std::string_view text, std::size_t at, const Char& c) const {
    const bool may_lead = !is_newline(c) && !c.is(kLetter | kNumber);
    std::size_t end = 0;
    if (!rules_.split_case) {
      const std::size_t start =
          may_lead && is_word(char_at(text, at + c.bytes)) ? at + c.bytes : at;
      end = run(text, start, rules_.word);
    } else {
      if (may_lead) end = lower_word(text, at + c.bytes);
      if (end == 0) end = lower_word(text, at);
      if (end == 0 && may_lead) end = run(text, at + c.bytes, kUpperPart);
      if (end == 0) end = run(text, at, kUpperPart);
    }
    if (end != 0 && rules_.contraction_suffix) end += contraction(text, end, /*any_case=*/true);
    return end;
  }

  bool is_apart(const Char& c) const { return rules_.han_apart && is_han(c.code); }
  bool is_word(const Char& c) const { return c.is(rules_.word) && !is_apart(c); }

  std::size_t skip_word(std::string_view text, std::size_t at, CharMask classes) const {
    if (!rules_.han_apart) return skip(text, at, classes);
    for (Char c; (c = char_at(text, at)).is(classes) && !is_han(c.code);) at += c.bytes;
    return at;
  }

  static constexpr CharMask kUpperPart = kUpper | kCaseless | kMark,
                            kLowerPart = kLower | kCaseless | kMark;

  // `U*L+`, where caseless letters and marks are both: if no L follows the longest U*, the last of
  // both is the L+.
  std::size_t lower_word(std::string_view text, std::size_t at) const {
    std::size_t last_both_end = 0;
    for (Char c; (c = char_at(text, at)).is(kUpperPart) && !is_apart(c);) {
      at += c.bytes;
      if (c.is(kLowerPart)) last_both_end = at;
    }
    const std::size_t end = skip_word(text, at, kLowerPart);
    return end > at ? end : last_both_end;
  }

  // A run of `classes`; 0: none. Where lower_word() found nothing this is `U+L*`, of upper case
  // alone.
  std::size_t run(std::string_view text, std::size_t at, CharMask classes) const {
    const std::size_t end = skip_word(text, at, classes);
    return end > at ? end : 0;
  }

  std::size_t skip_digits(std::string_view text, std::size_t at) const {
    std::uint32_t count = 0;
    for (Char c; (c = char_at(text, at)).is(kNumber) &&
                 (rules_.digits_max == 0 || count < rules_.digits_max);
         ++count) {
      at += c.bytes;
    }
    return at;
  }

  static std::size_t skip_han(std::string_view text, std::size_t at) {
    for (Char c; is_han((c = char_at(text, at)).code);) at += c.bytes;
    return at;
  }

  const WordRules rules_;
  const CharMask punctuation_;
};

bool is_ascii_punctuation(const Char& c) { return c.code < 0x80 && c.is(kPunctuation | kSymbol); }
bool is_ascii_letter(const Char& c) { return c.code < 0x80 && c.is(kLetter); }

class DeepseekV3Pass : public SplitPass {
 public:
  void split(std::string_view text, std::size_t offset, PieceEnds& ends) const override {
    std::size_t unmatched = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = next(text, at);
      if (end == 0) {
        at += char_at(text, at).bytes;
        continue;
      }
      if (unmatched < at) ends.push_back(offset + at);
      ends.push_back(offset + end);
      at = unmatched = end;
    }
    if (unmatched < text.size()) ends.push_back(offset + text.size());
  }

 private:
  static std::size_t next(std::string_view text, std::size_t at) {
    const Char c = char_at(text, at);
    if (is_ascii_punctuation(c) && is_ascii_letter(char_at(text, at + 1))) {
      for (++at; is_ascii_letter(char_at(text, at));) ++at;
      return at;
    }
    constexpr CharMask kWord = kLetter | kMark, kPunct = kPunctuation | kSymbol;
    const bool may_lead = !is_newline(c) && !c.is(kLetter | kPunct);
    const std::size_t start = may_lead && char_at(text, at + c.bytes).is(kWord) ? at + c.bytes : at;
    if (const std::size_t end = skip(text, start, kWord); end > start) return end;
    const std::size_t mark = at + (c.code == ' ' ? 1 : 0);
    if (char_at(text, mark).is(kPunct))
      return skip_newlines(text, skip(text, mark, kPunct), /*slashes=*/false);
    if (const std::size_t end = last_newline_end(text, at)) return end;
    return c.is(kSpace) ? white_space_end(text, at) : 0;
  }
};

}  // namespace

std::unique_ptr<SplitPass> gpt2_pass() { return std::make_unique<Gpt2Pass>(); }
std::unique_ptr<SplitPass> word_pass(const WordRules& rules) {
  return std::make_unique<WordPass>(rules);
}
std::unique_ptr<SplitPass> deepseek_v3_pass() { return std::make_unique<DeepseekV3Pass>(); }

}  // namespace drystone

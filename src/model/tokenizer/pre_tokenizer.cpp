#include "model/tokenizer/pre_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

namespace drystone {
namespace {

using Passes = std::vector<std::unique_ptr<const SplitPass>>;

template <typename... Pass>
Passes passes(Pass... pass) {
  Passes result;
  (result.push_back(std::move(pass)), ...);
  return result;
}

bool number(const Char& c) { return c.is(kNumber); }
bool ascii_digit(const Char& c) { return c.code >= '0' && c.code <= '9'; }
bool letter(const Char& c) { return c.is(kLetter); }
bool punctuation(const Char& c) { return c.is(kPunctuation); }
bool newline(const Char& c) { return c.code == '\r' || c.code == '\n'; }

bool in(const Char& c, std::span<const char32_t> bounds) {  // first, last, first, last, ...
  for (std::size_t i = 0; i + 1 < bounds.size(); i += 2) {
    if (c.code >= bounds[i] && c.code <= bounds[i + 1]) return true;
  }
  return false;
}

// What Falcon's descendants take for punctuation: \p{P} and some ASCII symbols.
bool falcon_punctuation(const Char& c) {
  return c.is(kPunctuation) || (c.code < 0x80 && c.is(kSymbol) && c.code != '`');
}
bool falcon_punctuation_backtick(const Char& c) { return falcon_punctuation(c) || c.code == '`'; }

bool cjk_kana(const Char& c) {
  constexpr char32_t kBounds[] = {0x4E00, 0x9FA5, 0x3040, 0x309F, 0x30A0, 0x30FF};
  return in(c, kBounds);
}

bool deepseek_cjk(const Char& c) {
  constexpr char32_t kBounds[] = {0x4E00, 0x9FA5, 0x0800, 0x4E00, 0xAC00, 0xD7FF};
  return in(c, kBounds);
}

bool deepseek_punctuation(const Char& c) {
  constexpr char32_t kBounds[] = {'!',    '/',    ':',    '~',    0xFF01, 0xFF0F,
                                  0xFF1A, 0xFF5E, 0x2018, 0x201F, 0x3000, 0x3002};
  return in(c, kBounds);
}

// Bloom and its descendants: all but white space and these marks.
bool bloom_word(const Char& c) {
  constexpr std::u32string_view kMarks = U"(|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)";
  return !c.is(kSpace) && kMarks.find(c.code) == std::u32string_view::npos;
}

// The letters of DeepSeek LLM's own list: Latin, Greek, Cyrillic, Armenian and their like, but no
// caseless scripts.
bool deepseek_letter(const Char& c) {
  if (c.code < 0x80) return c.is(kLetter);
  constexpr char32_t kBounds[] = {
      0xB5,    0xB5,    0xC0,    0xD6,    0xD8,    0xF6,    0xF8,    0x1BA,   0x1BC,   0x1BF,
      0x1C4,   0x293,   0x295,   0x2AF,   0x370,   0x373,   0x376,   0x376,   0x377,   0x377,
      0x37B,   0x37D,   0x37F,   0x37F,   0x386,   0x386,   0x388,   0x38A,   0x38C,   0x38C,
      0x38E,   0x3A1,   0x3A3,   0x3F5,   0x3F7,   0x481,   0x48A,   0x52F,   0x531,   0x556,
      0x10A0,  0x10C5,  0x13A0,  0x13F5,  0x13F8,  0x13FD,  0x1C90,  0x1CBA,  0x1CBD,  0x1CBF,
      0x1D00,  0x1D2B,  0x1D6B,  0x1D77,  0x1D79,  0x1D9A,  0x1E00,  0x1F15,  0x1F18,  0x1F1D,
      0x1F20,  0x1F45,  0x1F48,  0x1F4D,  0x1F50,  0x1F57,  0x1F59,  0x1F59,  0x1F5B,  0x1F5B,
      0x1F5D,  0x1F5D,  0x1F5F,  0x1F7D,  0x1F80,  0x1FB4,  0x1FB6,  0x1FBC,  0x1FBE,  0x1FBE,
      0x1FC2,  0x1FC4,  0x1FC6,  0x1FCC,  0x1FD0,  0x1FD3,  0x1FD6,  0x1FDB,  0x1FE0,  0x1FEC,
      0x1FF2,  0x1FF4,  0x1FF6,  0x1FFC,  0x2102,  0x2102,  0x2107,  0x2107,  0x210A,  0x2113,
      0x2115,  0x2115,  0x2119,  0x211D,  0x2124,  0x2124,  0x2126,  0x2126,  0x2128,  0x2128,
      0x212A,  0x212D,  0x212F,  0x2134,  0x2139,  0x2139,  0x213C,  0x213F,  0x2145,  0x2149,
      0x214E,  0x214E,  0x2183,  0x2184,  0x2C00,  0x2C7B,  0x2C7E,  0x2CE4,  0x2CEB,  0x2CEE,
      0x2CF2,  0x2CF3,  0xA640,  0xA66D,  0xA680,  0xA69B,  0xA722,  0xA76F,  0xA771,  0xA787,
      0xA78B,  0xA78E,  0xAB70,  0xABBF,  0xFB00,  0xFB06,  0xFB13,  0xFB17,  0xFF21,  0xFF3A,
      0xFF41,  0xFF5A,  0x10400, 0x1044F, 0x104B0, 0x104D3, 0x104D8, 0x104FB, 0x10C80, 0x10CB2,
      0x10CC0, 0x10CF2, 0x118A0, 0x118DF, 0x1E900, 0x1E943};
  return in(c, kBounds);
}

constexpr WordRules kQwen2 = {.digits_max = 1};
constexpr WordRules kGpt4o = {.contractions_first = false,
                              .contraction_suffix = true,
                              .split_case = true,
                              .slash_ends = true};
constexpr WordRules kTekken = {
    .digits_max = 1, .contractions_first = false, .split_case = true, .slash_ends = true};
// Kimi's own rule also splits at capitals; llama.cpp, which the files in use are tested with, does
// not.
constexpr WordRules kKimi = {
    .contractions_first = false, .contraction_suffix = true, .han_apart = true};

Passes gpt2() { return passes(gpt2_pass()); }
Passes llama3() { return passes(word_pass({})); }
Passes qwen2() { return passes(word_pass(kQwen2)); }
Passes qwen35() { return passes(word_pass({.word = kLetter | kMark, .digits_max = 1})); }
Passes ufakzeka() { return passes(word_pass({.digits_max = 1, .contractions_first = false})); }
Passes seed_coder() { return passes(word_pass({.digits_max = 1, .newline_ends = false})); }
Passes bloom() { return passes(run_pass({.matches = bloom_word, .lead = RunRules::Lead::blank})); }
Passes viking() {
  return passes(run_pass({.matches = bloom_word, .lead = RunRules::Lead::blank}),
                run_pass({.matches = number, .max = 1}));
}
Passes gpt4o() { return passes(word_pass(kGpt4o)); }
Passes tekken() { return passes(word_pass(kTekken)); }
Passes kimi() { return passes(word_pass(kKimi)); }
Passes single_digits_gpt2() { return passes(run_pass({.matches = number, .max = 1}), gpt2_pass()); }
Passes lines_qwen2() {
  return passes(run_pass({.matches = [](const Char& c) { return c.code == '\n'; }}),
                word_pass(kQwen2));
}
Passes minicpm5() {
  return passes(run_pass({.matches = number, .max = 3}), word_pass({.digits_max = 0}));
}
Passes deepseek_v3() {
  return passes(run_pass({.matches = number, .max = 3}), run_pass({.matches = cjk_kana}),
                deepseek_v3_pass());
}
Passes deepseek_llm() {
  return passes(run_pass({.matches = newline, .max = 1}),
                run_pass({.matches = deepseek_letter, .lead = RunRules::Lead::white_space}),
                run_pass({.matches = deepseek_punctuation, .lead = RunRules::Lead::white_space}),
                trailing_space_pass(), run_pass({.matches = deepseek_cjk}),
                run_pass({.matches = number}));
}
Passes deepseek_coder() {
  return passes(run_pass({.matches = newline, .max = 1}),
                run_pass({.matches = letter, .lead = RunRules::Lead::white_space}),
                run_pass({.matches = punctuation, .lead = RunRules::Lead::white_space}),
                run_pass({.matches = deepseek_cjk}), run_pass({.matches = number, .max = 1}));
}
Passes falcon() {
  return passes(run_pass({.matches = falcon_punctuation_backtick}), gpt2_pass(),
                run_pass({.matches = ascii_digit, .max = 3, .min = 3}));
}
Passes default_passes() {
  return passes(run_pass({.matches = falcon_punctuation}), gpt2_pass(),
                run_pass({.matches = number}),
                run_pass({.matches = ascii_digit, .max = 3, .min = 3}));
}

struct Entry {
  std::string_view name;
  Passes (*make)();
  bool ignore_merges = false, add_bos = false, merges_optional = false;
};

constexpr Entry kEntries[] = {
    {"default", default_passes},
    {"gpt-2", gpt2},
    {"phi-2", gpt2},
    {"mpt", gpt2},
    {"olmo", gpt2},
    {"jais", gpt2},
    {"trillion", gpt2},
    {"granite-docling", gpt2},
    {"exaone4", gpt2},
    {"mellum", gpt2},
    {"gigachat", gpt2},
    {"a.x-4.0", gpt2},
    {"modern-bert", gpt2},
    {"jina-es", gpt2},
    {"jina-de", gpt2},
    {"jina-v2-es", gpt2},
    {"jina-v2-de", gpt2},
    {"jina-v1-en", gpt2},
    {"jina-v2-code", gpt2},
    {"roberta-bpe", gpt2},
    {"starcoder", single_digits_gpt2},
    {"refact", single_digits_gpt2},
    {"command-r", single_digits_gpt2},
    {"smollm", single_digits_gpt2},
    {"codeshell", single_digits_gpt2},
    {"exaone", single_digits_gpt2},
    {"minerva-7b", single_digits_gpt2},
    {"mellum2", single_digits_gpt2},
    {"falcon", falcon},
    {"llama-bpe", llama3, true, true},
    {"llama3", llama3, true, true},
    {"llama-v3", llama3, true, true},
    {"falcon3", llama3, true, true},
    {"falcon-h1", llama3, true, true},
    {"pixtral", llama3, true, true},
    {"midm-2.0", llama3, true, true},
    {"lfm2", llama3, true, true},
    {"jina-v5-nano", llama3, true, true},
    {"dbrx", llama3},
    {"smaug-bpe", llama3},
    {"glm4", llama3, true},
    {"chatglm-bpe", llama3},
    {"minicpm5", minicpm5, true},
    {"qwen2", qwen2},
    {"deepseek-r1-qwen", qwen2},
    {"kormo", qwen2},
    {"f2llmv2", qwen2},
    {"megrez", qwen2},
    {"stablelm2", qwen2},
    {"hunyuan", qwen2},
    {"solar-open", qwen2},
    {"grok-2", qwen2},
    {"bailingmoe", qwen2},
    {"bailingmoe2", qwen2},
    {"llada-moe", qwen2},
    {"seed-coder", seed_coder},
    {"bloom", bloom},
    {"poro-chat", bloom},
    {"gpt3-finnish", bloom},
    {"viking", viking},
    {"qwen35", qwen35},
    {"ufakzeka", ufakzeka},
    {"laguna", lines_qwen2},
    {"gpt-4o", gpt4o},
    {"llama4", gpt4o},
    {"kanana2", gpt4o},
    {"talkie", gpt4o},
    {"minimax-m2", gpt4o},
    {"tekken", tekken, true, true},
    {"kimi-k2", kimi, false, false, true},
    {"deepseek-v3", deepseek_v3},
    {"hunyuan-dense", deepseek_v3},
    {"joyai-llm", deepseek_v3},
    {"hy_v4", deepseek_v3},
    {"deepseek-llm", deepseek_llm},
    {"deepseek-coder", deepseek_coder},
};

}  // namespace

void PreTokenizer::split(std::string_view text, PieceEnds& ends, PieceEnds& scratch) const {
  ends.clear();
  if (text.empty()) return;
  ends.push_back(text.size());
  for (const auto& pass : passes) {
    scratch.clear();
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      pass->split(text.substr(begin, end - begin), begin, scratch);
      begin = end;
    }
    ends.swap(scratch);
  }
}

Result<PreTokenizer> make_pre_tokenizer(std::string_view name) {
  const auto* entry = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [&](const Entry& e) { return e.name == name; });
  if (entry == std::end(kEntries)) {
    std::vector<std::string_view> names;
    for (const Entry& known : kEntries) names.push_back(known.name);
    return Error(
        Errc::unsupported,
        fmt::format("tokenizer.ggml.pre: the pre-tokenizer '{}' is not supported; known are {}",
                    name, fmt::join(names, ", ")));
  }
  return PreTokenizer{.passes = entry->make(),
                      .ignore_merges = entry->ignore_merges,
                      .add_bos = entry->add_bos,
                      .merges_optional = entry->merges_optional};
}

}  // namespace drystone

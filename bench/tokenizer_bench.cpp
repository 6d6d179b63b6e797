// How fast text becomes tokens, single-threaded, in MB/s.
//
//   tokenizer_bench VOCABULARY.gguf [PRE_TOKENIZER...]
//
// The English-like text is made here: common words by their rank (the k-th is taken in proportion
// to 1/k), some words that no vocabulary knows, sentences, paragraphs, numbers. Always the same for
// this program.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/gguf/gguf.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {
namespace {

constexpr std::size_t kTextBytes = 4 << 20;
constexpr int kRepeats = 5;

constexpr const char* kWords[] = {
    "the",     "of",       "and",     "a",        "to",     "in",       "is",        "was",
    "that",    "it",       "for",     "on",       "with",   "he",       "as",        "at",
    "by",      "from",     "his",     "be",       "had",    "not",      "are",       "but",
    "they",    "have",     "this",    "which",    "one",    "you",      "were",      "all",
    "her",     "she",      "there",   "would",    "their",  "we",       "him",       "been",
    "has",     "when",     "who",     "will",     "more",   "if",       "no",        "out",
    "so",      "up",       "said",    "what",     "its",    "about",    "than",      "into",
    "them",    "can",      "only",    "other",    "time",   "new",      "some",      "could",
    "these",   "two",      "may",     "first",    "then",   "do",       "any",       "like",
    "my",      "now",      "over",    "such",     "our",    "man",      "me",        "even",
    "most",    "made",     "after",   "also",     "well",   "did",      "many",      "before",
    "must",    "years",    "back",    "through",  "much",   "where",    "your",      "way",
    "down",    "should",   "because", "long",     "each",   "people",   "state",     "world",
    "still",   "between",  "life",    "being",    "under",  "never",    "house",     "water",
    "machine", "language", "stone",   "wall",     "memory", "network",  "window",    "evening",
    "garden",  "letter",   "morning", "question", "answer", "together", "different", "possible",
    "measure", "remember"};
constexpr const char* kSyllables[] = {"ka",  "ron", "thel", "mi",  "vor", "sta",
                                      "lin", "que", "dro",  "nex", "pha", "ul"};

std::string english_like_text() {
  Rng rng(1);
  std::vector<double> sums;
  for (std::size_t k = 0; k < std::size(kWords); ++k) {
    sums.push_back((sums.empty() ? 0 : sums.back()) + 1.0 / static_cast<double>(k + 1));
  }
  const auto word = [&]() -> std::string {
    const std::uint64_t kind = rng.below(100);
    if (kind < 2) return std::to_string(rng.below(100000));
    if (kind < 5) {
      std::string made_up;
      for (std::uint64_t i = 0, n = 2 + rng.below(3); i < n; ++i)
        made_up += kSyllables[rng.below(std::size(kSyllables))];
      return made_up;
    }
    const auto at = std::lower_bound(sums.begin(), sums.end(), rng.uniform_double() * sums.back());
    return kWords[std::min<std::size_t>(static_cast<std::size_t>(at - sums.begin()),
                                        std::size(kWords) - 1)];
  };
  std::string text;
  while (text.size() < kTextBytes) {
    for (std::uint64_t i = 0, n = 4 + rng.below(16); i < n; ++i) {
      std::string next = word();
      if (i == 0 && next[0] >= 'a') next[0] = static_cast<char>(next[0] - 'a' + 'A');
      if (i > 0) text += rng.below(12) == 0 ? ", " : " ";
      text += next;
    }
    text += rng.below(6) == 0 ? ".\n\n" : rng.below(5) == 0 ? "? " : ". ";
  }
  return text;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool measure(const Metadata& metadata, const std::string& text) {
  auto start = std::chrono::steady_clock::now();
  const auto tokenizer = Tokenizer::load(metadata);
  const double load_s = seconds_since(start);
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", tokenizer.error().message());
    return false;
  }
  std::vector<double> encode_s;
  std::size_t tokens = 0;
  for (int i = 0; i < kRepeats; ++i) {
    start = std::chrono::steady_clock::now();
    tokens = (*tokenizer)->encode(text, {}).size();
    encode_s.push_back(seconds_since(start));
  }
  std::sort(encode_s.begin(), encode_s.end());
  const double median_s = encode_s[kRepeats / 2];
  fmt::print("{:36} load {:6.1f} ms, encode {:6.1f} MB/s, {:.2f} bytes/token\n",
             (*tokenizer)->family(), load_s * 1e3,
             static_cast<double>(text.size()) / 1e6 / median_s,
             static_cast<double>(text.size()) / static_cast<double>(tokens));
  return true;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: tokenizer_bench VOCABULARY.gguf [PRE_TOKENIZER...]\n");
    return 2;
  }
  const auto file = drystone::GgufFile::open(argv[1]);
  if (!file) {
    fmt::print(stderr, "{}\n", file.error().message());
    return 1;
  }
  const std::string text = drystone::english_like_text();
  bool ok = true;
  if (argc == 2) ok = drystone::measure(file->metadata(), text);
  for (int i = 2; i < argc; ++i) {
    drystone::Metadata metadata = file->metadata();
    metadata.set("tokenizer.ggml.pre", std::string(argv[i]));
    ok = drystone::measure(metadata, text) && ok;
  }
  return ok ? 0 : 1;
}

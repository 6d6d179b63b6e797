// What constrained output costs: microseconds per token for the mask and for taking the token, with
// a random model that writes answers allowed by some schemas.
//
//   constraint_bench VOCABULARY.gguf [ANSWERS]
//
// Columns: compile (ms); first mask of a fresh constraint (ms); per token in the first answer, in
// later ones (mean, 99th percentile, largest), and accept; automaton states and cache (KiB).
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <string>
#include <vector>

#include "base/rng.h"
#include "engine/constraint/constraint.h"
#include "model/gguf/gguf.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {
namespace {

constexpr std::size_t kTokensMax = 400;

struct Case {
  const char* name;
  ConstraintSpec spec;
};

std::vector<Case> cases() {
  using Kind = ConstraintSpec::Kind;
  return {
      {"json object", {Kind::json_object, "", {}}},
      {"person",
       {Kind::json_schema,
        R"({"type": "object", "properties": {
         "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
         "email": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": {"type": "string"}}},
         "required": ["name", "age"], "additionalProperties": false})",
        {}}},
      {"tool call",
       {Kind::json_schema,
        R"({"type": "object", "properties": {
         "name": {"enum": ["search", "read_file", "write_file", "run"]},
         "arguments": {"type": "object", "properties": {"path": {"type": "string", "maxLength": 400},
            "content": {"type": "string"}, "limit": {"type": ["integer", "null"]}, "mode": {"enum": ["r", "w", "a"]}},
            "required": ["path", "content", "limit"], "additionalProperties": false}},
         "required": ["name", "arguments"]})",
        {}}},
      {"recursive",
       {Kind::json_schema,
        R"({"$defs": {"node": {"type": "object", "properties": {
         "value": {"type": "number"}, "label": {"type": "string", "maxLength": 40},
         "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 8}},
         "required": ["value", "label", "children"]}}, "$ref": "#/$defs/node"})",
        {}}},
      {"regex", {Kind::regex, R"([A-Z][a-z]+( [a-z]+){3,40}\.)", {}}},
      {"choice", {Kind::choice, "", {"positive", "negative", "neutral"}}},
      {"gbnf",
       {Kind::gbnf,
        "root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\n"
        "term ::= ident | num | \"(\" ws expr \")\" ws\nident ::= [a-z] [a-z0-9_]* ws\n"
        "num ::= [0-9]+ ws\nws ::= [ \\t\\n]*\n",
        {}}},
  };
}

using Clock = std::chrono::steady_clock;
double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Times {
  std::vector<double> mask_us, accept_us;
  double mean(const std::vector<double>& values) const {
    double sum = 0;
    for (const double value : values) sum += value;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
  }
};

// A model without taste: any allowed token, ended where that is possible once the answer is long.
bool answer(const std::shared_ptr<const CompiledConstraint>& constraint, Rng& rng, Times& times) {
  ConstraintState state(constraint);
  std::vector<std::uint64_t> mask(constraint->vocabulary().mask_words());
  for (std::size_t n = 0; n < kTokensMax && !state.must_end(); ++n) {
    auto start = Clock::now();
    if (!state.fill_mask(mask)) return false;
    times.mask_us.push_back(microseconds_since(start));
    std::size_t allowed = 0;
    for (const std::uint64_t word : mask) allowed += static_cast<std::size_t>(std::popcount(word));
    std::size_t wanted = rng.below(allowed);
    TokenId id = 0;
    for (std::size_t w = 0; w < mask.size(); ++w) {
      const auto here = static_cast<std::size_t>(std::popcount(mask[w]));
      if (wanted >= here) {
        wanted -= here;
        continue;
      }
      std::uint64_t word = mask[w];
      for (; wanted > 0; --wanted) word &= word - 1;
      id = static_cast<TokenId>(w * 64 + static_cast<std::size_t>(std::countr_zero(word)));
      break;
    }
    start = Clock::now();
    if (!state.accept(id)) return false;
    times.accept_us.push_back(microseconds_since(start));
  }
  return true;
}

bool measure(const Case& test, const std::shared_ptr<const ConstraintVocabulary>& vocabulary,
             int answers) {
  auto start = Clock::now();
  const auto constraint = compile(test.spec, vocabulary);
  const double compile_ms = microseconds_since(start) / 1e3;
  if (!constraint) {
    fmt::print(stderr, "{}: {}\n", test.name, constraint.error().message());
    return false;
  }
  Rng rng(1);
  Times first, later;
  if (!answer(*constraint, rng, first)) return false;
  for (int i = 1; i < answers; ++i)
    if (!answer(*constraint, rng, later)) return false;
  std::vector<double> sorted = later.mask_us;
  std::sort(sorted.begin(), sorted.end());
  fmt::print("{:12} {:8.2f} {:8.2f} {:10.1f} {:9.1f} {:9.1f} {:9.1f} {:8.2f} {:7} {:8}\n",
             test.name, compile_ms, first.mask_us[0] / 1e3, first.mean(first.mask_us),
             later.mean(later.mask_us), sorted[sorted.size() * 99 / 100], sorted.back(),
             later.mean(later.accept_us), (*constraint)->states(),
             (*constraint)->cache_bytes() / 1024);
  return true;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  using namespace drystone;
  if (argc < 2) {
    fmt::print(stderr, "usage: constraint_bench VOCABULARY.gguf [ANSWERS]\n");
    return 2;
  }
  const auto file = GgufFile::open(argv[1]);
  const auto tokenizer =
      file ? Tokenizer::load(file->metadata()) : Result<std::unique_ptr<Tokenizer>>(file.error());
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", tokenizer.error().message());
    return 1;
  }
  const auto start = Clock::now();
  const auto vocabulary = ConstraintVocabulary::build(**tokenizer, (*tokenizer)->size());
  fmt::print("{} tokens, {} trie nodes, built in {:.1f} ms\n", vocabulary->size(),
             vocabulary->nodes().size(), microseconds_since(start) / 1e3);
  fmt::print("{:12} {:>8} {:>8} {:>10} {:>9} {:>9} {:>9} {:>8} {:>7} {:>8}\n", "", "compile",
             "first", "1st answer", "mean", "p99", "max", "accept", "states", "cache");
  bool ok = true;
  for (const Case& test : cases())
    ok = measure(test, vocabulary, argc > 2 ? std::atoi(argv[2]) : 20) && ok;
  return ok ? 0 : 1;
}

#include "model/tokenizer/split_pass.h"

namespace drystone {
namespace {

class RunPass : public SplitPass {
 public:
  explicit RunPass(const RunRules& rules) : rules_(rules) {}

  void split(std::string_view text, std::size_t offset, PieceEnds& ends) const override {
    std::size_t unmatched = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Char c = char_at(text, at);
      const std::size_t end = match(text, at, c);
      if (end == 0) {
        at += c.bytes;
        continue;
      }
      if (unmatched < at) ends.push_back(offset + at);
      ends.push_back(offset + end);
      at = unmatched = end;
    }
    if (unmatched < text.size()) ends.push_back(offset + text.size());
  }

 private:
  // End of the match that starts at `at` with `c`; 0: none.
  std::size_t match(std::string_view text, std::size_t at, const Char& c) const {
    const bool leads = (rules_.lead == RunRules::Lead::white_space && c.is(kSpace)) ||
                       (rules_.lead == RunRules::Lead::blank && c.code == ' ');
    if (leads) {
      if (const std::size_t end = run(text, at + c.bytes)) return end;
    }
    return run(text, at);
  }

  std::size_t run(std::string_view text, std::size_t at) const {
    std::uint32_t count = 0;
    while (rules_.max == 0 || count < rules_.max) {
      const Char c = char_at(text, at);
      if (c.bytes == 0 || !rules_.matches(c)) break;
      at += c.bytes;
      ++count;
    }
    return count >= rules_.min ? at : 0;
  }

  const RunRules rules_;
};

class TrailingSpacePass : public SplitPass {
 public:
  void split(std::string_view text, std::size_t offset, PieceEnds& ends) const override {
    std::size_t end = 0;  // of what is not trailing white space
    for (std::size_t at = 0; at < text.size();) {
      const Char c = char_at(text, at);
      at += c.bytes;
      if (!c.is(kSpace)) end = at;
    }
    if (end > 0) ends.push_back(offset + end);
    if (end < text.size()) ends.push_back(offset + text.size());
  }
};

}  // namespace

std::unique_ptr<SplitPass> run_pass(const RunRules& rules) {
  return std::make_unique<RunPass>(rules);
}
std::unique_ptr<SplitPass> trailing_space_pass() { return std::make_unique<TrailingSpacePass>(); }

}  // namespace drystone

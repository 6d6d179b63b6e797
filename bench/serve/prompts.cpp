#include "bench/serve/prompts.h"

namespace drystone {
namespace json = boost::json;

namespace {

// Ids below are control tokens and bytes in most vocabularies; so are some at the end.
constexpr std::uint32_t kFirstId = 260, kLastIds = 8;

std::string words(std::uint32_t tokens, double tokens_per_word, Rng& rng) {
  std::string out;
  for (double made = 0; made < tokens; made += tokens_per_word) {
    if (!out.empty()) out += ' ';
    const std::uint64_t letters = 3 + rng.below(5);
    for (std::uint64_t i = 0; i < letters; ++i) out += static_cast<char>('a' + rng.below(26));
  }
  return out;
}

}  // namespace

void Prompt::add(std::string_view role, std::uint32_t tokens, Rng& rng) {
  if (options_.kind == PromptKind::ids) {
    for (std::uint32_t i = 0; i < tokens; ++i)
      ids_.emplace_back(kFirstId + rng.below(options_.vocab - kFirstId - kLastIds));
    return;
  }
  const std::string text = words(tokens, options_.tokens_per_word, rng);
  messages_.push_back({{"role", role}, {"content", text}});
  text_ += text + "\n";
}

void Prompt::add_system(std::uint32_t tokens, Rng rng) { add("system", tokens, rng); }
void Prompt::add_user(std::uint32_t tokens, Rng rng) { add("user", tokens, rng); }

void Prompt::add_assistant(const std::string& text, std::uint32_t tokens, Rng rng) {
  if (options_.kind == PromptKind::ids) return add("assistant", tokens, rng);
  messages_.push_back({{"role", "assistant"}, {"content", text}});
  text_ += text + "\n";
}

std::string Prompt::path() const {
  return options_.kind == PromptKind::chat ? "/v1/chat/completions" : "/v1/completions";
}

json::object Prompt::body() const {
  json::object body;
  if (!options_.model.empty()) body["model"] = options_.model;
  switch (options_.kind) {
    case PromptKind::ids:
      body["prompt"] = ids_;
      break;
    case PromptKind::text:
      body["prompt"] = text_;
      break;
    case PromptKind::chat:
      body["messages"] = messages_;
      break;
  }
  return body;
}

}  // namespace drystone

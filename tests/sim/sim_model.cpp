#include "sim_model.h"

#include <fmt/format.h>

namespace drystone::sim {
namespace {

std::uint64_t mixed(std::uint64_t hash, TokenId id) {
  hash = (hash ^ static_cast<std::uint64_t>(id + 1)) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

std::uint64_t hash_of(const std::vector<TokenId>& prompt) {
  std::uint64_t hash = 17;
  for (const TokenId id : prompt) hash = mixed(hash, id);
  return hash;
}

}  // namespace

TokenId next_token(const std::vector<TokenId>& prompt, const std::vector<TokenId>& so_far) {
  std::uint64_t hash = hash_of(prompt);
  for (const TokenId id : so_far) hash = mixed(hash, id);
  return static_cast<TokenId>(hash % kVocab);
}

std::string piece_of(TokenId id) { return fmt::format("{} ", id); }

std::optional<FinishReason> end_of(const std::vector<TokenId>& prompt, std::uint32_t tokens_max,
                                   std::size_t tokens) {
  if (tokens == 1 + hash_of(prompt) % 80) return FinishReason::stop;
  if (tokens_max != 0 && tokens == tokens_max) return FinishReason::length;
  if (prompt.size() + tokens == kContext) return FinishReason::length;
  return std::nullopt;
}

Answer whole_answer(const std::vector<TokenId>& prompt, std::uint32_t tokens_max) {
  Answer answer;
  while (true) {
    answer.tokens.push_back(next_token(prompt, answer.tokens));
    answer.text += piece_of(answer.tokens.back());
    if (const auto end = end_of(prompt, tokens_max, answer.tokens.size())) {
      answer.finish = *end;
      return answer;
    }
  }
}

}  // namespace drystone::sim

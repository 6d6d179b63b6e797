#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"

// The model of the simulation: its next token is a function of the prompt and all tokens so far, so
// that one that was lost, repeated or changed on the way changes all that follow.
namespace drystone::sim {

constexpr std::uint32_t kContext = 64, kVocab = 8000;

TokenId next_token(const std::vector<TokenId>& prompt, const std::vector<TokenId>& so_far);
std::string piece_of(TokenId id);
// Whether and why the answer ends behind its first `tokens`.
std::optional<FinishReason> end_of(const std::vector<TokenId>& prompt, std::uint32_t tokens_max,
                                   std::size_t tokens);

struct Answer {
  std::vector<TokenId> tokens;
  std::string text;
  FinishReason finish = FinishReason::stop;
};
Answer whole_answer(const std::vector<TokenId>& prompt, std::uint32_t tokens_max);

}  // namespace drystone::sim

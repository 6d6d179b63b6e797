#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "engine/engine.h"

namespace drystone {

using PieceOf = std::function<std::string(TokenId)>;

// The two forms in which OpenAI's APIs show logprobs.

// Chat: {"content": [{token, logprob, bytes, top_logprobs: [...]}], "refusal": null}. A token that
// is part of a character shows U+FFFD; its bytes are exact.
boost::json::value chat_logprobs(std::span<const Sampled> tokens, const PieceOf& piece);

// Completions: parallel arrays {tokens, token_logprobs, top_logprobs, text_offset}. `offset` counts
// characters of the text and is moved on. A token that is part of a character is written as
// "bytes:\xe2\x82".
boost::json::value completion_logprobs(std::span<const Sampled> tokens, const PieceOf& piece,
                                       std::size_t& offset);

}  // namespace drystone

#include "serve/api/openai/openai_logprobs.h"

#include <fmt/format.h>

#include <cmath>

#include "serve/http/utf8.h"

namespace drystone {
namespace json = boost::json;

namespace {

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// JSON has no infinity; a token that cannot be sampled gets OpenAI's -9999.
double finite(float logprob) { return std::isfinite(logprob) ? logprob : -9999.0; }

json::object chat_entry(TokenId id, float logprob, const PieceOf& piece) {
  const std::string bytes = piece(id);
  json::array values;
  for (const char c : bytes) values.push_back(static_cast<unsigned char>(c));
  return {{"token", valid_utf8(bytes)}, {"logprob", finite(logprob)}, {"bytes", std::move(values)}};
}

std::string completion_token(const std::string& bytes) {
  if (is_valid_utf8(bytes)) return bytes;
  std::string out = "bytes:";
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

json::value chat_logprobs(std::span<const Sampled> tokens, const PieceOf& piece) {
  json::array content;
  for (const Sampled& token : tokens) {
    json::object entry = chat_entry(token.id, token.logprob, piece);
    json::array top;
    for (const TokenLogprob& other : token.top)
      top.push_back(chat_entry(other.id, other.logprob, piece));
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

json::value completion_logprobs(std::span<const Sampled> tokens, const PieceOf& piece,
                                std::size_t& offset) {
  json::array texts, logprobs, tops, offsets;
  for (const Sampled& token : tokens) {
    const std::string bytes = piece(token.id);
    texts.emplace_back(completion_token(bytes));
    logprobs.emplace_back(finite(token.logprob));
    json::object top;
    for (const TokenLogprob& other : token.top)
      top.emplace(completion_token(piece(other.id)), finite(other.logprob));
    tops.push_back(std::move(top));
    offsets.emplace_back(offset);
    offset += characters(bytes);
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace drystone

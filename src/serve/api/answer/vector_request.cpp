#include "serve/api/answer/vector_request.h"

#include <fmt/format.h>

#include <bit>
#include <iterator>

namespace drystone {

std::int32_t default_priority(std::size_t texts) { return texts > 1 ? 1 : 0; }

ApiResult<GenerateRequest> to_vector_job(std::vector<TokenId> ids, std::string field,
                                         const VectorOptions& options, const ServedModel& model) {
  if (ids.empty())
    return invalid_request(field,
                           fmt::format("'{}' is empty: a vector needs at least one token.", field));
  if (ids.size() > model.context())
    return invalid_request(
        field,
        fmt::format("This model's maximum context length is {} tokens, but '{}' has {}. Cut it "
                    "into parts, or start the server with a larger --context.",
                    model.context(), field, ids.size()),
        "context_length_exceeded");
  for (const TokenId id : ids)
    if (id < 0 || static_cast<std::uint32_t>(id) >= model.vocab())
      return invalid_request(
          field, fmt::format("'{}' has the token id {}; this model has ids 0 to {}.", field, id,
                             model.vocab() - 1));
  return GenerateRequest{.prompt = std::move(ids),
                         .pooling = options.pooling,
                         .priority = options.priority,
                         .cache_salt = options.cache_salt};
}

ApiResult<Pooling> choose_pooling(std::optional<Pooling> asked, const ServedModel& model) {
  const auto own = model.pooling();
  if (own) return asked.value_or(*own);
  // A file that names no usable way still has hidden states; one made for something else has none
  // of use.
  if (asked && model.writes()) return *asked;
  return invalid_request("model", own.error().message(), "unsupported_model");
}

void append_json(std::string& out, std::span<const float> values) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",", values[i]);
  out += ']';
}

std::string base64(std::span<const float> values) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  bytes.reserve(values.size() * 4);
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

}  // namespace drystone

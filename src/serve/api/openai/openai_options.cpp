#include "serve/api/openai/openai_options.h"

#include <fmt/format.h>

#include <charconv>

#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

void read_logit_bias(RequestFields& fields, SamplingOptions& sampling) {
  const json::object* biases = fields.object("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > kLogitBiasMax)
    return fields.fail("logit_bias",
                       fmt::format("'logit_bias' has {} entries; at most {} are accepted.",
                                   biases->size(), kLogitBiasMax));
  RequestFields entries(*biases, "logit_bias.");
  for (const auto& [key, value] : *biases) {
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc{} || end != key.data() + key.size() || id < 0)
      return fields.fail(
          "logit_bias",
          "'logit_bias' must map token ids to numbers, but has a key that is no token id.");
    float bias = 0;
    entries.number(key, -100, 100, bias);
    if (entries.error()) return fields.fail(*entries.error());
    sampling.logit_bias.emplace_back(id, bias);
  }
}

void read_sampling(RequestFields& fields, GenerationOptions& options) {
  SamplingOptions& sampling = options.sampling;
  fields.number("temperature", 0, 2, sampling.temperature);
  fields.number("top_p", 0, 1, sampling.top_p);
  fields.number("min_p", 0, 1, sampling.min_p);
  fields.number("typical_p", 0, 1, sampling.typical_p);
  fields.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  fields.number("presence_penalty", -2, 2, sampling.presence_penalty);
  fields.number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);  // llama.cpp's name
  fields.number("repetition_penalty", 0.01, 100, sampling.repetition_penalty);
  if (const auto top_k = fields.integer("top_k", -1, kTokensMax))
    sampling.top_k = static_cast<std::uint32_t>(*top_k < 0 ? 0 : *top_k);
  if (const auto window = fields.integer("repeat_last_n", 0, kTokensMax))
    sampling.penalty_window = static_cast<std::uint32_t>(*window);
  read_seed(fields, options.seed);
  read_logit_bias(fields, sampling);
}

void read_stream(RequestFields& fields, GenerationOptions& options) {
  fields.boolean("stream", options.stream);
  const json::object* stream_options = fields.object("stream_options");
  if (stream_options == nullptr) return;
  if (!options.stream && fields.ok())
    return fields.fail("stream_options", "'stream_options' is only allowed when 'stream' is true.");
  RequestFields inner(*stream_options, "stream_options.");
  inner.boolean("include_usage", options.include_usage);
  inner.refuse("continuous_usage_stats", "usage comes once, in the last chunk");
  inner.accept({"include_obfuscation"});  // random text that hides lengths: there is none
  refuse_unknown(inner);
  if (inner.error()) fields.fail(*inner.error());
}

void read_lengths(RequestFields& fields, GenerationOptions& options) {
  if (const auto n = fields.integer("n", 1, kChoicesMax))
    options.choices = static_cast<std::uint32_t>(*n);
  if (const auto tokens = fields.integer("min_tokens", 0, kTokensMax))
    options.tokens_min = static_cast<std::uint32_t>(*tokens);
  fields.boolean("ignore_eos", options.ignore_eos);
  if (const json::array* ids = fields.array("stop_token_ids")) {
    if (ids->size() > kStopTokensMax)
      return fields.fail("stop_token_ids",
                         fmt::format("'stop_token_ids' has {} ids; at most {} are accepted.",
                                     ids->size(), kStopTokensMax));
    options.stop_tokens = read_token_ids(fields, "stop_token_ids", *ids);
  }
}

// What nobody honours here: each would change the answer.
void refuse_unsupported(RequestFields& fields) {
  fields.refuse("bad_words", "use 'logit_bias'");
  fields.refuse("allowed_token_ids", "use 'logit_bias'");
  fields.refuse("prompt_logprobs", "only generated tokens carry logprobs");
  fields.refuse("use_beam_search", "answers are sampled");
  fields.refuse("truncate_prompt_tokens", "shorten the prompt");
  fields.refuse("thinking_token_budget", "use 'max_tokens'");
  fields.refuse("include_stop_str_in_output", "an answer ends before its stop string");
  bool skipped = true;
  fields.boolean("skip_special_tokens", skipped);
  if (!skipped)
    fields.fail("skip_special_tokens",
                "'skip_special_tokens' must be true: control tokens are no text of an answer.",
                "unsupported_parameter");
  fields.accept({"user", "metadata", "store", "service_tier", "safety_identifier",
                 "prompt_cache_key", "prompt_cache_retention", "request_id", "session_id",
                 "spaces_between_special_tokens"});
}

}  // namespace

std::vector<TokenId> read_token_ids(RequestFields& fields, std::string_view name,
                                    const json::array& ids) {
  std::vector<TokenId> out;
  out.reserve(ids.size());
  for (const json::value& id : ids) {
    if (!id.is_int64() || id.get_int64() < 0 ||
        id.get_int64() > std::numeric_limits<TokenId>::max()) {
      fields.fail(name, fmt::format("'{}[{}]' is no token id.", name, out.size()), "invalid_type");
      return {};
    }
    out.push_back(static_cast<TokenId>(id.get_int64()));
  }
  return out;
}

void read_queue_options(RequestFields& fields, std::int32_t& priority, std::string& cache_salt) {
  fields.string("cache_salt", cache_salt);
  if (cache_salt.size() > kCacheSaltBytesMax)
    fields.fail("cache_salt", fmt::format("'cache_salt' has {} bytes; at most {} are accepted.",
                                          cache_salt.size(), kCacheSaltBytesMax));
  if (const auto given = fields.integer("priority", -kPriorityMax, kPriorityMax))
    priority = static_cast<std::int32_t>(*given);
}

void read_options(RequestFields& fields, GenerationOptions& options) {
  read_sampling(fields, options);
  read_stop(fields, "stop", options.stop);
  read_stream(fields, options);
  read_lengths(fields, options);
  read_constraint(fields, options.constraint);
  read_queue_options(fields, options.priority, options.cache_salt);
  refuse_unsupported(fields);
}

}  // namespace drystone

#include "serve/jobs/job_wire.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "engine/constraint/constraint.h"
#include "net/wire.h"
#include "serve/http/utf8.h"

namespace drystone {

namespace {

using Limits = JobLimits;

// Behind which bit a field of a request stands.
constexpr std::uint8_t kIgnoreEos = 1, kHasLogprobs = 2, kHasConstraint = 4, kAllFlags = 7;

// Numbers on the wire stay what they are, whatever the order of the enumeration.
constexpr std::array kCodes = {
    Errc::invalid_argument, Errc::not_found,     Errc::io,    Errc::corrupt,
    Errc::unsupported,      Errc::out_of_memory, Errc::limit, Errc::cancelled,
    Errc::closed,           Errc::unavailable,   Errc::busy};
constexpr std::array kKinds = {ConstraintSpec::Kind::json_object, ConstraintSpec::Kind::json_schema,
                               ConstraintSpec::Kind::regex, ConstraintSpec::Kind::choice,
                               ConstraintSpec::Kind::gbnf};
constexpr std::array kFinishes = {FinishReason::stop, FinishReason::length,
                                  FinishReason::cancelled};

template <typename Value, std::size_t kSize>
void write_one_of(WireWriter& out, const std::array<Value, kSize>& values, Value value) {
  for (std::size_t i = 0; i < kSize; ++i)
    if (values[i] == value) return out.u8(static_cast<std::uint8_t>(i));
  CHECK(false, static_cast<int>(value));
}

template <typename Value, std::size_t kSize>
Value read_one_of(WireReader& in, const std::array<Value, kSize>& values, std::string_view what) {
  const std::uint8_t number = in.u8();
  if (number < kSize) return values[number];
  in.refuse(fmt::format("{} {}, expected less than {}", what, number, kSize));
  return values[0];
}

float read_finite(WireReader& in) {
  const float value = in.f32();
  if (!std::isfinite(value)) in.refuse("a number that is not finite");
  return value;
}

bool read_bool(WireReader& in, std::string_view what) {
  const std::uint8_t value = in.u8();
  if (value > 1) in.refuse(fmt::format("{} is {}, expected 0 or 1", what, value));
  return value == 1;
}

std::string read_utf8(WireReader& in, std::size_t bytes_max) {
  const std::string_view text = in.text(bytes_max);
  if (!is_valid_utf8(text)) in.refuse("a text that is not UTF-8");
  return std::string(text);
}

void write_sampling(WireWriter& out, const SamplingOptions& sampling) {
  out.f32(sampling.temperature);
  out.u32(sampling.top_k);
  out.f32(sampling.top_p);
  out.f32(sampling.min_p);
  out.f32(sampling.typical_p);
  out.f32(sampling.repetition_penalty);
  out.f32(sampling.frequency_penalty);
  out.f32(sampling.presence_penalty);
  out.u32(sampling.penalty_window);
  out.count(sampling.logit_bias.size());
  for (const auto& [id, bias] : sampling.logit_bias) {
    out.i32(id);
    out.f32(bias);
  }
  out.u64(sampling.seed);
}

SamplingOptions read_sampling(WireReader& in) {
  SamplingOptions sampling;
  sampling.temperature = read_finite(in);
  sampling.top_k = in.u32();
  sampling.top_p = read_finite(in);
  sampling.min_p = read_finite(in);
  sampling.typical_p = read_finite(in);
  sampling.repetition_penalty = read_finite(in);
  sampling.frequency_penalty = read_finite(in);
  sampling.presence_penalty = read_finite(in);
  sampling.penalty_window = in.u32();
  sampling.logit_bias.resize(in.count(Limits::kBiasesMax, 8));
  for (auto& [id, bias] : sampling.logit_bias) {
    id = in.i32();
    bias = in.f32();
    // Minus infinity bans a token.
    if (std::isnan(bias)) in.refuse("a bias that is not a number");
  }
  sampling.seed = in.u64();
  return sampling;
}

void write_constraint(WireWriter& out, const CompiledConstraint& constraint) {
  const ConstraintSpec& spec = constraint.spec();
  write_one_of(out, kKinds, spec.kind);
  out.u8(constraint.vocabulary().visible().empty() ? 0 : 1);
  out.text(spec.text);
  out.count(spec.choices.size());
  for (const std::string& choice : spec.choices) out.text(choice);
  out.count(spec.schemas.size());
  for (const auto& [rule, schema] : spec.schemas) {
    out.text(rule);
    out.text(schema);
  }
}

JobConstraint read_constraint(WireReader& in) {
  JobConstraint out;
  out.spec.kind = read_one_of(in, kKinds, "a constraint of kind");
  out.calls = read_bool(in, "whether a constraint is of calls");
  out.spec.text = in.text(Limits::kTextBytesMax);
  out.spec.choices.resize(in.count(Limits::kChoicesMax, 4));
  for (std::string& choice : out.spec.choices) choice = in.text(Limits::kTextBytesMax);
  out.spec.schemas.resize(in.count(Limits::kChoicesMax, 8));
  for (auto& [rule, schema] : out.spec.schemas) {
    rule = in.text(Limits::kNameBytesMax);
    schema = in.text(Limits::kTextBytesMax);
  }
  return out;
}

std::vector<TokenId> read_ids(WireReader& in, std::size_t ids_max) {
  return in.numbers<TokenId>(ids_max);
}

}  // namespace

// ---- Requests

std::vector<std::byte> encode_order(std::string_view instance, std::uint64_t epoch,
                                    std::string_view client, const GenerateRequest& request) {
  WireWriter out;
  out.text(instance);
  out.u64(epoch);
  out.text(client);
  out.numbers(std::span<const TokenId>(request.prompt));
  out.numbers(std::span<const TokenId>(request.written));
  out.u8(!request.pooling ? 0 : *request.pooling == Pooling::mean ? 1 : 2);
  out.u32(request.tokens_max);
  write_sampling(out, request.sampling);
  out.count(request.stop.size());
  for (const std::string& stop : request.stop) out.text(stop);
  out.numbers(std::span<const TokenId>(request.stop_tokens));
  out.numbers(std::span<const TokenId>(request.visible_tokens));
  std::uint8_t flags = request.ignore_eos ? kIgnoreEos : 0;
  if (request.top_logprobs) flags |= kHasLogprobs;
  if (request.constraint != nullptr) flags |= kHasConstraint;
  out.u8(flags);
  out.u32(request.tokens_min);
  out.i32(request.priority);
  out.text(request.cache_salt);
  if (request.top_logprobs) out.u32(*request.top_logprobs);
  if (request.constraint != nullptr) write_constraint(out, *request.constraint);
  return out.take();
}

Result<JobOrder> decode_order(std::span<const std::byte> message) {
  WireReader in(message);
  JobOrder order;
  GenerateRequest& request = order.request;
  order.instance = read_utf8(in, Limits::kNameBytesMax);
  order.epoch = in.u64();
  order.client = in.text(Limits::kNameBytesMax);
  request.prompt = read_ids(in, Limits::kTokensMax);
  request.written = read_ids(in, Limits::kTokensMax);
  const std::uint8_t pooling = in.u8();
  if (pooling > 2) in.refuse(fmt::format("pooling {}, expected 0, 1 or 2", pooling));
  if (pooling > 0) request.pooling = pooling == 1 ? Pooling::mean : Pooling::last;
  request.tokens_max = in.u32();
  request.sampling = read_sampling(in);
  request.stop.resize(in.count(Limits::kStopsMax, 4));
  for (std::string& stop : request.stop) {
    stop = in.text(Limits::kTextBytesMax);
    if (stop.empty()) in.refuse("a stop string that is empty");
  }
  request.stop_tokens = read_ids(in, Limits::kStopsMax);
  request.visible_tokens = read_ids(in, Limits::kStopsMax);
  const std::uint8_t flags = in.u8();
  if ((flags & ~kAllFlags) != 0) in.refuse(fmt::format("flags {}, expected 0 to 7", flags));
  request.ignore_eos = (flags & kIgnoreEos) != 0;
  request.tokens_min = in.u32();
  request.priority = in.i32();
  request.cache_salt = in.text(Limits::kNameBytesMax);
  if ((flags & kHasLogprobs) != 0) {
    request.top_logprobs = in.u32();
    if (*request.top_logprobs > Sampler::kTopLogprobsMax)
      in.refuse(fmt::format("{} logprobs, at most {} are given", *request.top_logprobs,
                            Sampler::kTopLogprobsMax));
  }
  if ((flags & kHasConstraint) != 0) order.constraint = read_constraint(in);
  TRY(in.finish());
  return order;
}

// ---- What comes back

std::vector<std::byte> encode(const Delta& delta) {
  WireWriter out;
  out.text(delta.text);
  out.count(delta.tokens.size());
  for (const Sampled& token : delta.tokens) {
    out.i32(token.id);
    out.f32(token.logprob);
    out.u8(static_cast<std::uint8_t>(token.top.size()));
    for (const TokenLogprob& other : token.top) {
      out.i32(other.id);
      out.f32(other.logprob);
    }
  }
  return out.take();
}

Result<Delta> decode_delta(std::span<const std::byte> message) {
  WireReader in(message);
  Delta delta;
  const auto logprob = [&in] {
    const float value = in.f32();
    if (std::isnan(value)) in.refuse("a logprob that is not a number");
    return value;
  };
  delta.text = read_utf8(in, Limits::kTextBytesMax);
  delta.tokens.resize(in.count(Limits::kDeltaTokensMax, 9));
  for (Sampled& token : delta.tokens) {
    token.id = in.i32();
    token.logprob = logprob();
    const std::uint8_t others = in.u8();
    if (others > Sampler::kTopLogprobsMax)
      in.refuse(fmt::format("{} logprobs, at most {} are given", others, Sampler::kTopLogprobsMax));
    if (!in.ok()) break;
    token.top.resize(others);
    for (TokenLogprob& other : token.top) other = {.id = in.i32(), .logprob = logprob()};
  }
  TRY(in.finish());
  return delta;
}

std::vector<std::byte> encode(const GenerateResult& result) {
  WireWriter out;
  write_one_of(out, kFinishes, result.finish);
  out.text(result.stop);
  out.u8(result.stop_token ? 1 : 0);
  out.i32(result.stop_token.value_or(0));
  out.u32(result.prompt_tokens);
  out.u32(result.completion_tokens);
  out.u32(result.cached_tokens);
  for (const double time : {result.queue_s, result.prefill_s, result.decode_s})
    out.f32(static_cast<float>(time));
  out.numbers(std::span<const float>(result.hidden));
  return out.take();
}

Result<GenerateResult> decode_result(std::span<const std::byte> message) {
  WireReader in(message);
  GenerateResult result;
  result.finish = read_one_of(in, kFinishes, "an end of kind");
  result.stop = in.text(Limits::kTextBytesMax);
  const bool has_token = read_bool(in, "whether a token ended it");
  const TokenId token = in.i32();
  if (has_token) result.stop_token = token;
  result.prompt_tokens = in.u32();
  result.completion_tokens = in.u32();
  result.cached_tokens = in.u32();
  if (result.cached_tokens > result.prompt_tokens) in.refuse("more tokens cached than there are");
  for (double* time : {&result.queue_s, &result.prefill_s, &result.decode_s})
    *time = read_finite(in);
  // What is no number here is for whoever uses the vector to find, as with a model of this machine.
  result.hidden = in.numbers<float>(Limits::kHiddenMax);
  TRY(in.finish());
  return result;
}

std::vector<std::byte> encode(const Error& error) {
  WireWriter out;
  write_one_of(out, kCodes, error.code());
  out.text(valid_utf8(std::string_view(error.message()).substr(0, Limits::kErrorBytesMax / 4)));
  return out.take();
}

Error decode_failure(std::span<const std::byte> message) {
  WireReader in(message);
  const Errc code = read_one_of(in, kCodes, "an error of kind");
  const std::string text = read_utf8(in, Limits::kErrorBytesMax);
  const auto finished = in.finish();
  return finished ? Error(code, text) : finished.error();
}

std::vector<std::byte> encode(std::uint32_t number) {
  WireWriter out;
  out.u32(number);
  return out.take();
}

Result<std::uint32_t> decode_number(std::span<const std::byte> message) {
  WireReader in(message);
  const std::uint32_t number = in.u32();
  TRY(in.finish());
  return number;
}

}  // namespace drystone

#include "engine/loaded_engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {

LoadedEngine::LoadedEngine(Parts parts)
    : parts_(std::move(parts)),
      pages_(parts_.stage->page_count()),
      sequence_(pages_, parts_.stage->page_tokens()) {}

Result<void> LoadedEngine::check_ids(std::span<const TokenId> ids) const {
  if (ids.empty())
    return Error(Errc::invalid_argument, "the prompt is empty: expected at least one token");
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<std::uint32_t>(ids[i]) >= parts_.vocab)
      return Error(Errc::invalid_argument,
                   fmt::format("token {} of the prompt is {}: expected 0 to {}", i, ids[i],
                               parts_.vocab - 1));
  return {};
}

Result<std::span<const float>> LoadedEngine::step(std::span<const TokenId> ids, RowKind kind,
                                                  Logits logits) {
  const std::uint32_t position = sequence_.size();
  // The cache holds a whole context, and nobody else takes pages.
  CHECK(sequence_.reserve(position + static_cast<std::uint32_t>(ids.size())), position, ids.size());
  const Segment segment{.rows = static_cast<std::uint32_t>(ids.size()),
                        .position = position,
                        .kind = kind,
                        .pages = sequence_.pages(),
                        .all_logits = logits == Logits::all,
                        .no_logits = logits == Logits::none};
  auto result = parts_.stage->run({.segments = {&segment, 1}, .tokens = ids});
  if (result) sequence_.append(ids, kind);
  return result;
}

Result<std::span<const float>> LoadedEngine::prefill(std::span<const TokenId> prompt,
                                                     const std::stop_token& stop) {
  // The last token is always computed: its logits are wanted.
  const std::uint32_t known = sequence_.common_prompt_prefix(prompt.first(prompt.size() - 1));
  sequence_.truncate(known);
  std::span<const float> logits;
  for (auto rest = prompt.subspan(known); !rest.empty() && !stop.stop_requested();) {
    const auto chunk = rest.first(std::min<std::size_t>(rest.size(), parts_.batch_tokens_max));
    rest = rest.subspan(chunk.size());
    logits = TRY(step(chunk, RowKind::prompt, rest.empty() ? Logits::last : Logits::none));
  }
  return logits;
}

Result<FinishReason> LoadedEngine::decode(const GenerateRequest& request,
                                          std::span<const float> logits, TextOutput& output,
                                          const std::stop_token& stop,
                                          std::uint32_t& completion_tokens) {
  Sampler sampler = TRY(Sampler::create(request.sampling, parts_.vocab));
  sampler.observe_prompt(request.prompt);
  const std::uint32_t room = parts_.context - static_cast<std::uint32_t>(request.prompt.size());
  const std::uint32_t tokens_max =
      request.tokens_max == 0 ? room : std::min(request.tokens_max, room);

  while (!stop.stop_requested()) {
    Sampled sampled = TRY(sampler.sample(logits, request.top_logprobs));
    const TokenId id = sampled.id;
    if (!request.ignore_eos && parts_.tokenizer->is_end_of_generation(id))
      return FinishReason::stop;
    ++completion_tokens;
    output.push(std::move(sampled));
    if (output.stopped()) return FinishReason::stop;
    if (completion_tokens == tokens_max) return FinishReason::length;
    logits = TRY(step({&id, 1}, RowKind::generated, Logits::last));
  }
  return FinishReason::cancelled;
}

Result<GenerateResult> LoadedEngine::generate(const GenerateRequest& request,
                                              const std::function<void(const Delta&)>& sink,
                                              std::stop_token stop) {
  TRY(check_ids(request.prompt));
  if (request.prompt.size() >= parts_.context)
    return Error(
        Errc::limit,
        fmt::format("the prompt has {} tokens; the context of {} must hold it and an answer",
                    request.prompt.size(), parts_.context));
  GenerateResult result{.finish = FinishReason::cancelled,
                        .prompt_tokens = static_cast<std::uint32_t>(request.prompt.size())};
  const auto start = clock_.monotonic();
  const auto logits = TRY(prefill(request.prompt, stop));
  const auto prefilled = clock_.monotonic();
  result.prefill_s = seconds(prefilled - start);
  if (logits.empty()) return result;

  TextOutput output(*parts_.tokenizer, request.stop, sink);
  result.finish = TRY(decode(request, logits, output, stop, result.completion_tokens));
  output.finish();
  result.decode_s = seconds(clock_.monotonic() - prefilled);
  return result;
}

Result<void> LoadedEngine::logits(std::span<const TokenId> ids,
                                  const std::function<Result<void>(std::span<const float>)>& sink) {
  TRY(check_ids(ids));
  if (ids.size() > parts_.context)
    return Error(Errc::limit, fmt::format("{} tokens do not fit into the context of {}", ids.size(),
                                          parts_.context));
  sequence_.truncate(0);
  const std::size_t chunk_max = std::min(parts_.batch_tokens_max, parts_.logit_rows_max);
  for (auto rest = ids; !rest.empty();) {
    const auto chunk = rest.first(std::min(rest.size(), chunk_max));
    rest = rest.subspan(chunk.size());
    TRY(sink(TRY(step(chunk, RowKind::prompt, Logits::all))));
  }
  return {};
}

}  // namespace drystone

#include "cluster/plan/pace.h"

#include <algorithm>
#include <optional>

namespace drystone {
namespace {

using Group = std::vector<std::uint32_t>;

StepRows generated(const PlanInput& input, std::uint32_t rows) {
  return {.generated = rows,
          .position = input.request().prompt_tokens,
          .kv_format = input.request().kv_format};
}

// Of rows on their way between stages.
Bytes wire_bytes(const PlanInput& input, const Division& division, std::uint32_t rows) {
  return rows * row_bytes(division.row_format, input.model().d_model);
}

// Each rank of a stage gets the rows from one of the stage before, in turn; a rank that feeds
// several shares its way out among them.
double hop_between(const PlanInput& input, const Group& from, const Group& to, Bytes bytes) {
  const std::size_t fan = (to.size() + from.size() - 1) / from.size();
  double longest = 0;
  for (std::size_t r = 0; r < to.size(); ++r)
    longest = std::max(longest, input.hop_s(from[r % from.size()], to[r], bytes * fan));
  return longest;
}

// The first token of the answer: the last row comes back and goes through the output matrix.
double last_row_s(const PlanInput& input, const Division& division) {
  const auto& stages = division.shape.stages;
  double seconds =
      head_s(input, stages[0], shares_of(input, division, 0), input.times(generated(input, 1)), 1);
  if (stages.size() > 1)
    seconds += hop_between(input, stages.back(), stages[0], wire_bytes(input, division, 1));
  return seconds;
}

}  // namespace

double head_s(const PlanInput& input, const Group& first_stage, const std::vector<Share>& shares,
              const std::vector<SiteTimes>& times, std::uint32_t rows) {
  if (rows == 0) return 0;
  double longest_s = 0, gather_s = 0;
  for (std::size_t r = 0; r < first_stage.size(); ++r) {
    longest_s = std::max(longest_s, times[first_stage[r]].output_s * shares[r].vocab);
    const double logits = sizeof(float) * shares[r].vocab * input.model().vocab * rows;
    if (r > 0)
      gather_s = std::max(gather_s,
                          input.hop_s(first_stage[r], first_stage[0], static_cast<Bytes>(logits)));
  }
  return longest_s + gather_s;
}

Pipeline pipeline_of(const PlanInput& input, const Division& division, const StepRows& rows) {
  const std::vector<SiteTimes>& times = input.times(rows);
  const std::uint32_t count = rows.prompt + rows.generated;
  const auto& stages = division.shape.stages;
  std::vector<std::uint32_t> of_kind(times[0].kinds.size());
  Pipeline pipeline;
  for (std::size_t p = 0; p < stages.size(); ++p) {
    const Group& group = stages[p];
    const Span layers = division.layers[p];
    std::ranges::fill(of_kind, 0);
    for (std::uint32_t i = layers.begin; i < layers.end; ++i) ++of_kind[input.layer_kinds()[i]];
    const std::vector<Share> shares = shares_of(input, division, p);
    double fixed_s = 0;
    for (const std::uint32_t site : group) fixed_s = std::max(fixed_s, times[site].step_fixed_s);
    double seconds =
        fixed_s + 2 * layers.size() * input.reduction_s(group, count * input.sum_bytes());
    for (std::size_t kind = 0; kind < of_kind.size(); ++kind) {
      double attention_s = 0, feed_forward_s = 0;
      for (std::size_t r = 0; r < group.size(); ++r) {
        const SiteTimes& site = times[group[r]];
        attention_s = std::max(
            attention_s, site.kinds[kind].attention_s * shares[r].attention + site.layer_fixed_s);
        feed_forward_s =
            std::max(feed_forward_s, site.kinds[kind].feed_forward_s * shares[r].feed_forward);
      }
      seconds += of_kind[kind] * (attention_s + feed_forward_s);
    }
    pipeline.stage_s.push_back(seconds);
    const bool last = p + 1 == stages.size();
    if (stages.size() == 1)
      pipeline.hop_s.push_back(0);
    else if (last)
      pipeline.hop_s.push_back(
          rows.generated > 0
              ? hop_between(input, group, stages[0], wire_bytes(input, division, rows.generated))
              : 0);
    else
      pipeline.hop_s.push_back(
          hop_between(input, group, stages[p + 1], wire_bytes(input, division, count)));
  }
  pipeline.stage_s[0] +=
      head_s(input, stages[0], shares_of(input, division, 0), times, rows.generated);
  return pipeline;
}

Bytes one_shot_bytes(const PlanInput& input, const Division& division) {
  std::optional<Bytes> least;
  for (const Group& group : division.shape.stages)
    if (const auto bytes = input.one_shot_bytes(group))
      least = std::min(*bytes, least.value_or(*bytes));
  return least.value_or(kOneShotBytes);
}

double one_stream_tok_s(const PlanInput& input, const Division& division) {
  const double seconds = pipeline_of(input, division, generated(input, 1)).sum();
  return seconds > 0 ? 1 / seconds : 0;
}

ManyStreams many_streams(const PlanInput& input, const Division& division, std::uint32_t streams) {
  const auto stages = static_cast<std::uint32_t>(division.shape.stages.size());
  const auto with_lanes = [&](std::uint32_t lanes) {
    const std::uint32_t rows = (streams + lanes - 1) / lanes;
    return pipeline_of(input, division, generated(input, rows));
  };
  ManyStreams best;
  const auto try_lanes = [&](std::uint32_t lanes) {
    if (lanes < 1 || lanes > streams) return;
    const double tok_s = steps_per_s(with_lanes(lanes), lanes) * streams / lanes;
    if (tok_s > best.tok_s) best = {tok_s, lanes};
  };
  try_lanes(1);
  if (stages > 1) {
    // Around the number that keeps the longest stage busy.
    const std::uint32_t full = full_lanes(with_lanes(std::min(stages, streams)));
    for (std::uint32_t lanes : {stages, full - 1, full, full + 1})
      try_lanes(std::min(lanes, streams));
  }
  return best;
}

// As the batcher cuts a prompt: several pieces for each lane, so that all stages work,
// but none so small that reading the weights counts.
Prefill prefill(const PlanInput& input, const Division& division) {
  const PlanRequest& request = input.request();
  const auto stages = static_cast<std::uint32_t>(division.shape.stages.size());
  std::uint32_t rows = std::min(request.rows_max, request.prompt_tokens);
  if (stages > 1)
    rows = std::min(rows, std::max(kPlannedPieceRowsMin,
                                   request.prompt_tokens / (kPlannedPiecesOfALane * stages)));
  const StepRows chunk{
      .prompt = rows, .position = (request.prompt_tokens + 1) / 2, .kv_format = request.kv_format};
  const double seconds =
      last_row_s(input, division) +
      prefill_s(pipeline_of(input, division, chunk), 1.0 * request.prompt_tokens / rows);
  return {seconds > 0 ? request.prompt_tokens / seconds : 0, rows};
}

}  // namespace drystone

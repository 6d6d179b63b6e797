#include "cluster/plan/cost_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace drystone {
namespace {

void missing(Time& time, std::string figure) {
  if (std::ranges::find(time.unknown, figure) == time.unknown.end())
    time.unknown.push_back(std::move(figure));
}

Rates rates_of(const NodeFigures& node, const std::string& type) {
  const auto found = node.rates.find(type);
  return found == node.rates.end() ? Rates{} : found->second;
}

struct Ops {
  double prompt = 0, generated = 0;  // of all rows
  double one_row = 0;                // of weights: of one row; 0: no weights
};

// Generated rows alone through weights that take `read_s` to read, where `rates` know what one row
// takes: by what so many rows take that were measured, in a straight line between those.
double generated_rows_s(const Rates& rates, double read_s, double one_row, double rows) {
  double from = 1, from_s = std::max(read_s, one_row / *rates.streamed);
  const auto measured = [&](double count, const std::optional<double>& rate) {
    return rate ? std::optional(std::max(from_s, count * one_row / *rate)) : std::nullopt;
  };
  for (const auto& [count, rate] :
       {std::pair{kFewGenerated, rates.few}, std::pair{kManyGenerated, rates.generated}}) {
    const auto count_s = measured(count, rate);
    if (!count_s) continue;
    if (rows <= count) return from_s + (*count_s - from_s) * (rows - from) / (count - from);
    from = count;
    from_s = *count_s;
  }
  return from_s * rows / from;
}

// Reading `bytes` while computing: whichever takes longer, or what was measured of both together.
void add_work(Time& time, const NodeFigures& node, const std::string& type, double bytes,
              const Ops& ops) {
  double read_s = 0, prompt_s = 0, generated_s = 0;
  const Rates rates = rates_of(node, type);
  if (bytes > 0) {
    if (node.read_bandwidth)
      read_s = bytes / *node.read_bandwidth;
    else
      missing(time, fmt::format("read bandwidth of {}", node.name));
  }
  const auto compute = [&](double count, const std::optional<double>& rate, std::string_view kind) {
    if (count <= 0) return 0.0;
    if (rate) return count / *rate;
    missing(time, fmt::format("rate of {} for {} rows of {}", type, kind, node.name));
    return 0.0;
  };
  prompt_s = compute(ops.prompt, rates.prompt, "prompt");
  generated_s = compute(ops.generated, rates.generated, "generated");
  double all_s = std::max(read_s, prompt_s + generated_s);
  if (rates.streamed && ops.one_row > 0 && ops.generated > 0) {
    read_s = std::max(read_s, ops.one_row / *rates.streamed);
    all_s = ops.prompt > 0
                ? std::max(read_s, prompt_s + generated_s)
                : generated_rows_s(rates, read_s, ops.one_row, ops.generated / ops.one_row);
  }
  time.seconds += all_s;
  if (read_s >= prompt_s + generated_s) {
    time.read_bytes += bytes;
    time.read_s += all_s;
  } else {
    time.multiply_adds += ops.prompt + ops.generated;
    time.compute_s += all_s;
  }
}

void add_weights(Time& time, const NodeFigures& node, const TypedWeights& weights, double share,
                 double prompt_rows, double generated_rows) {
  const double ops = static_cast<double>(weights.multiply_adds) * share;
  add_work(time, node, weights.type, static_cast<double>(weights.bytes) * share,
           {.prompt = ops * prompt_rows, .generated = ops * generated_rows, .one_row = ops});
}

// Prompt rows of a step are of one sequence and read its keys and values once; each generated row
// reads its own.
void add_attention(Time& time, const NodeFigures& node, const LayerFigures& layer, double share,
                   const StepRows& rows) {
  const double seen = layer.window > 0 ? std::min(layer.window, rows.position) : rows.position;
  const double sequences = rows.generated + (rows.prompt > 0 ? 1 : 0);
  const double bytes =
      static_cast<double>(kv_bytes(rows.kv_format, layer.kv_values)) * seen * sequences * share;
  const double ops = static_cast<double>(layer.position_ops) * seen * share;
  add_work(time, node, kAttentionRate, bytes,
           {.prompt = ops * rows.prompt, .generated = ops * rows.generated});
}

void add_figure(Time& time, const std::optional<double>& seconds, std::string figure) {
  if (seconds)
    time.seconds += *seconds;
  else
    missing(time, std::move(figure));
}

std::string between(const LinkFigures& link) {
  return fmt::format("{} and {}", link.from, link.to);
}

}  // namespace

void Time::add(const Time& other) { add(other, 1); }

void Time::add(const Time& other, double times) {
  seconds += other.seconds * times;
  read_bytes += other.read_bytes * times;
  read_s += other.read_s * times;
  multiply_adds += other.multiply_adds * times;
  compute_s += other.compute_s * times;
  for (const std::string& figure : other.unknown) missing(*this, figure);
}

LayerTime layer_time(const NodeFigures& node, const LayerFigures& layer, const Share& share,
                     const StepRows& rows) {
  LayerTime time;
  for (const TypedWeights& weights : layer.attention)
    add_weights(time.attention, node, weights, share.attention, rows.prompt, rows.generated);
  add_attention(time.attention, node, layer, share.attention, rows);
  if (node.layer_fixed_s) time.attention.seconds += *node.layer_fixed_s;
  for (const TypedWeights& weights : layer.feed_forward)
    add_weights(time.feed_forward, node, weights, share.feed_forward, rows.prompt, rows.generated);
  return time;
}

Time output_time(const NodeFigures& node, const ModelFigures& model, const Share& share,
                 std::uint32_t rows) {
  Time time;
  if (rows > 0) add_weights(time, node, model.output, share.vocab, 0, rows);
  return time;
}

Time fixed_time(const NodeFigures& node) {
  Time time;
  add_figure(time, node.step_fixed_s, fmt::format("fixed time of a step of {}", node.name));
  return time;
}

Time hop_time(const LinkFigures& link, Bytes bytes) {
  Time time;
  if (link.round_trip_s)
    time.seconds += *link.round_trip_s / 2;
  else
    missing(time, fmt::format("latency between {}", between(link)));
  if (link.bandwidth)
    time.seconds += static_cast<double>(bytes) / *link.bandwidth;
  else
    missing(time, fmt::format("bandwidth between {}", between(link)));
  return time;
}

std::string_view to_string(ReduceWay way) {
  switch (way) {
    case ReduceWay::none:
      return "none";
    case ReduceWay::one_shot:
      return "one shot";
    case ReduceWay::two_shot:
      return "two shots";
  }
  CHECK(false, static_cast<int>(way));
}

Reduction reduction(const LinkTable& links, std::span<const std::string> nodes, Bytes bytes) {
  Reduction result;
  const auto ranks = static_cast<double>(nodes.size());
  if (nodes.size() < 2) return result;
  double latency_s = 0, bandwidth = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      if (i == j) continue;
      const LinkFigures link = links.between(nodes[i], nodes[j]);
      if (link.exchange_s || link.round_trip_s)
        latency_s =
            std::max(latency_s, link.exchange_s ? *link.exchange_s : *link.round_trip_s / 2);
      else if (i < j)
        missing(result.time, fmt::format("latency between {}", between(link)));
      if (link.bandwidth)
        bandwidth = bandwidth > 0 ? std::min(bandwidth, *link.bandwidth) : *link.bandwidth;
      else if (i < j)
        missing(result.time, fmt::format("bandwidth between {}", between(link)));
    }
  const double transfer_s = bandwidth > 0 ? static_cast<double>(bytes) / bandwidth : 0;
  const double one_shot = latency_s + (ranks - 1) * transfer_s;
  const double two_shot = 2 * latency_s + 2 * (ranks - 1) / ranks * transfer_s;
  const bool once = nodes.size() == 2 || one_shot <= two_shot;
  result.way = once ? ReduceWay::one_shot : ReduceWay::two_shot;
  result.time.seconds = once ? one_shot : two_shot;
  return result;
}

double reduction_limit_s(double one_node_s, std::uint32_t ranks, std::uint32_t layers) {
  return one_node_s * (1 - 1.0 / ranks) / (2.0 * layers);
}

double Pipeline::sum() const {
  return std::accumulate(stage_s.begin(), stage_s.end(), 0.0) +
         std::accumulate(hop_s.begin(), hop_s.end(), 0.0);
}

double Pipeline::longest() const { return *std::ranges::max_element(stage_s); }

double steps_per_s(const Pipeline& pipeline, std::uint32_t lanes) {
  return lanes / std::max(lanes * pipeline.longest(), pipeline.sum());
}

std::uint32_t full_lanes(const Pipeline& pipeline) {
  const double longest = pipeline.longest();
  if (longest <= 0) return 1;
  constexpr double kRounding = 1e-9;
  return static_cast<std::uint32_t>(
      std::max(1.0, std::ceil(pipeline.sum() / longest * (1 - kRounding))));
}

double prefill_s(const Pipeline& chunk, double chunks) {
  const double slowest =
      std::max(chunk.longest(), chunk.hop_s.empty() ? 0.0 : *std::ranges::max_element(chunk.hop_s));
  return chunk.sum() + std::max(0.0, chunks - 1) * slowest;
}

}  // namespace drystone

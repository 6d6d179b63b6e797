#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"
#include "cluster/plan/placement.h"

namespace drystone {

// Times of steps from measured figures. Nothing here is a constant of some machine: what has not
// been measured gives no time, and the figure that is missing is named.
// docs/decisions/0020-cost-model.md derives the formulas.

// A step: `prompt` rows of prompts and `generated` rows, each of which sees `position` positions.
struct StepRows {
  std::uint32_t prompt = 0, generated = 0;
  std::uint32_t position = 0;
  KvFormat kv_format = KvFormat::f16;
};

// A time with what it is made of, or what is missing for it.
struct Time {
  double seconds = 0;
  double read_bytes = 0, read_s = 0;        // where reading takes longer
  double multiply_adds = 0, compute_s = 0;  // where computing does
  std::vector<std::string> unknown;         // figures that are missing and count as 0
  bool known() const { return unknown.empty(); }
  void add(const Time& other);
  void add(const Time& other, double times);
};

// What of a layer, or of the head, one rank has.
struct Share {
  double attention = 1, feed_forward = 1, vocab = 1;
};

// attention and feed_forward end with a reduction each, so their times are kept apart.
struct LayerTime {
  Time attention, feed_forward;
};

// One layer on one node: for each type of weights the longer of reading and computing them, in
// turn; the keys and values of all rows likewise.
LayerTime layer_time(const NodeFigures& node, const LayerFigures& layer, const Share& share,
                     const StepRows& rows);
// Final norm and output matrix over `rows` rows.
Time output_time(const NodeFigures& node, const ModelFigures& model, const Share& share,
                 std::uint32_t rows);
// What a step costs a part whatever it holds.
Time fixed_time(const NodeFigures& node);

// From one stage to the next: round trip / 2 + bytes / bandwidth.
Time hop_time(const LinkFigures& link, Bytes bytes);

enum class ReduceWay { none, one_shot, two_shot };
std::string_view to_string(ReduceWay way);
struct Reduction {
  ReduceWay way = ReduceWay::none;
  Time time;
};
// The sum of `bytes` over all `nodes` (ids), every one of them having it in the end: the faster of
// one exchange of everything, a + (N-1) n / B, and of shares first, 2a + 2 (N-1) n / (N B), with
// the slowest link's a and B. Two nodes always exchange everything.
Reduction reduction(const LinkTable& links, std::span<const std::string> nodes, Bytes bytes);

// The time of a reduction up to which `ranks` equal shards shorten the wait of one request, where
// one node would take `one_node_s` per token: one_node_s (1 - 1/N) / (2 layers).
double reduction_limit_s(double one_node_s, std::uint32_t ranks, std::uint32_t layers);

// A pipeline: `stage_s` of each stage for a batch, `hop_s` behind each (the last one's is the way
// back to the head; 0 for a single stage).
struct Pipeline {
  std::vector<double> stage_s, hop_s;
  double sum() const;
  double longest() const;
};
// Steps per second with `lanes` batches in flight: lanes / max(lanes * longest, sum).
double steps_per_s(const Pipeline& pipeline, std::uint32_t lanes);
// The first of the lanes that keep the longest stage busy: ceil(sum / longest).
std::uint32_t full_lanes(const Pipeline& pipeline);
// A prompt of `chunks` equal chunks: sum + (chunks - 1) * the longest stage or hop.
double prefill_s(const Pipeline& chunk, double chunks);

}  // namespace drystone

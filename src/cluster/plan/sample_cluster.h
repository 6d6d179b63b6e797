#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"

// Models and machines for tests and benchmarks.

namespace drystone {

struct SampleModel {
  std::string name = "llama-1b";
  std::uint32_t layers = 22, d_model = 2048, ff_width = 5632;
  std::uint32_t heads = 32, kv_heads = 4, head_dim = 64, vocab = 32000;
  double bytes_per_weight = 0.5625;  // q4_0
  bool tied = false;
};

inline ModelFigures sample_model(const SampleModel& sample = {}) {
  const auto weights = [&](std::uint64_t count) {
    return TypedWeights{
        .type = "q4_0",
        .bytes = static_cast<Bytes>(static_cast<double>(count) * sample.bytes_per_weight),
        .multiply_adds = count};
  };
  const std::uint64_t d = sample.d_model, q = std::uint64_t{sample.heads} * sample.head_dim,
                      kv = std::uint64_t{sample.kv_heads} * sample.head_dim;
  LayerFigures layer;
  layer.attention = {weights(d * (2 * q + 2 * kv))};
  layer.feed_forward = {weights(3 * d * sample.ff_width)};
  layer.whole_bytes = 2 * d * sizeof(float);
  layer.kv_values = static_cast<std::uint32_t>(2 * kv);
  layer.position_ops = 2 * q;
  ModelFigures model{.name = sample.name,
                     .context = 8192,
                     .d_model = sample.d_model,
                     .vocab = sample.vocab,
                     .kv_heads = sample.kv_heads,
                     .ff_width = sample.ff_width,
                     .ff_block = 32,
                     .vocab_block = 32,
                     .page_tokens = 64,
                     .layers = std::vector<LayerFigures>(sample.layers, layer),
                     .embedding = weights(d * sample.vocab),
                     .output = weights(d * sample.vocab),
                     .tied = sample.tied};
  model.embedding.multiply_adds = 0;
  model.working = {.fixed = 4 * kMiB,
                   .row_whole = 3 * d * sizeof(float),
                   .row_divided = (2 * q + 2 * sample.ff_width) * sizeof(float),
                   .logit_row = sample.vocab * sizeof(float)};
  return model;
}

struct SampleNode {
  std::string name;
  Bytes memory = 8 * kGiB;
  double bandwidth = 20e9;
  double prompt_rate = 400e9, generated_rate = 60e9;
};

inline NodeFigures sample_node(const SampleNode& sample) {
  return {.id = "id-" + sample.name,
          .name = sample.name,
          .total_bytes = sample.memory + sample.memory / 4,
          .free_bytes = sample.memory,
          .read_bandwidth = sample.bandwidth,
          .rates = {{"q4_0", {sample.prompt_rate, sample.generated_rate}},
                    {kAttentionRate, {sample.prompt_rate / 10, sample.generated_rate / 2}}},
          .step_fixed_s = 30e-6,
          .layer_fixed_s = 10e-6,
          .cores = 1};
}

struct SampleLink {
  double round_trip_s = 200e-6;
  double bandwidth = 1.2e9;
};

inline LinkTable sample_links(const std::vector<NodeFigures>& nodes,
                              const SampleLink& sample = {}) {
  LinkTable links;
  for (const NodeFigures& from : nodes)
    for (const NodeFigures& to : nodes)
      if (from.id < to.id)
        links.set({.from = from.id,
                   .to = to.id,
                   .round_trip_s = sample.round_trip_s,
                   .exchange_s = sample.round_trip_s / 2,
                   .bandwidth = sample.bandwidth,
                   .bandwidth_back = sample.bandwidth});
  return links;
}

// Machines and links of all sorts, the same for a seed.
struct RandomCluster {
  std::vector<NodeFigures> nodes;
  LinkTable links;
};

inline RandomCluster random_cluster(std::uint64_t seed, std::size_t count, Bytes memory_min,
                                    Bytes memory_max) {
  Rng rng(seed);
  RandomCluster cluster;
  for (std::size_t i = 0; i < count; ++i) {
    const double speed = 0.25 + 2 * rng.uniform_double();
    cluster.nodes.push_back(
        sample_node({.name = "n" + std::to_string(100 + i),
                     .memory = memory_min + rng.below(memory_max - memory_min + 1),
                     .bandwidth = 20e9 * speed,
                     .prompt_rate = 400e9 * (0.25 + 2 * rng.uniform_double()),
                     .generated_rate = 60e9 * speed}));
  }
  for (const NodeFigures& from : cluster.nodes)
    for (const NodeFigures& to : cluster.nodes)
      if (from.id < to.id) {
        const double round_trip_s = 50e-6 * (1 + 20 * rng.uniform_double());
        const double bandwidth = 0.1e9 + 2e9 * rng.uniform_double();
        cluster.links.set({.from = from.id,
                           .to = to.id,
                           .round_trip_s = round_trip_s,
                           .exchange_s = round_trip_s / 2,
                           .bandwidth = bandwidth,
                           .bandwidth_back = bandwidth});
      }
  return cluster;
}

}  // namespace drystone

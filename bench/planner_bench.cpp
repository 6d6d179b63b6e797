// What a plan costs: milliseconds for clusters of several sizes, with models of 100 layers.
//
//   planner_bench [ROUNDS]
//
// Columns: nodes; layers; streams; shapes that were divided; offers; best of ROUNDS (ms).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "cluster/plan/planner.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

void measure(std::size_t count, std::uint32_t layers, std::uint32_t streams, int rounds) {
  const ModelFigures model = sample_model({.name = "llama-large",
                                           .layers = layers,
                                           .d_model = 8192,
                                           .ff_width = 28672,
                                           .heads = 64,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .vocab = 128256});
  const RandomCluster cluster = random_cluster(1, count, 80 * kGiB / count, 240 * kGiB / count);
  double best_ms = 1e300;
  Plan result;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    result = plan(model, cluster.nodes, cluster.links, {.context = 8192, .streams = streams});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    best_ms = std::min(best_ms, took.count());
  }
  fmt::print("{:>5} {:>6} {:>7} {:>9} {:>6} {:>8.2f}  {}\n", count, layers, streams,
             result.divisions, result.offers.size(), best_ms,
             result.error ? result.error->message() : result.offers[0].summary);
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  fmt::print("nodes layers streams divisions offers       ms  best\n");
  for (const std::uint32_t streams : {1u, 16u}) {
    for (const std::size_t nodes : {2, 3, 4, 5, 6, 8, 16, 32, 64, 128})
      drystone::measure(nodes, 100, streams, rounds);
  }
  return 0;
}

#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "compute/cpu/device/stage_weights.h"
#include "compute/program.h"

namespace drystone {

// The operations of a layer as this device runs them: neighbours fused, tensors resolved. One
// parallel region each.

struct PlannedNorm {
  Slot in, out;
  const float* weight;
  float eps;
  bool add_to_hidden = false;  // a norm of a branch's result, then its residual
};

struct PlannedPart {
  const PackedMatrix* weight;
  const float* bias;
  Slot out;
};

struct PlannedLinear {
  Slot in;
  std::uint32_t cols;
  bool accumulate = false;  // into hidden: the residual
  std::vector<PlannedPart> parts;
  std::vector<DType> types;
};

// Per head norms of q and k, rotation, append to the cache, attention.
struct PlannedAttention {
  AttentionOp op;
  std::uint32_t cache_layer;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float norm_eps = 0;
  int q_rope = -1, k_rope = -1;  // in StagePlan::ropes; -1: not rotated
};

struct PlannedGated {
  Activation activation;
};

// hidden += in.
struct PlannedAdd {
  Slot in;
};

// slot = its sum over the ranks of the shard group.
struct PlannedReduce {
  Slot slot;
  std::vector<const PackedMatrix*> next;  // what the next product reads, in the order of reading
};

using PlannedOp = std::variant<PlannedNorm, PlannedLinear, PlannedAttention, PlannedGated,
                               PlannedAdd, PlannedReduce>;

// One way of rotating; layers share them, so that cosines are computed once a step.
struct PlannedRope {
  std::vector<float> inv_freq;
  float magnitude;
  bool interleaved;
};

struct StagePlan {
  std::vector<std::vector<PlannedOp>> layers;
  std::vector<PlannedRope> ropes;
};

// `weights` is borrowed for the plan's life. A program of one rank is planned without reductions.
StagePlan plan_stage(const Program& program, LayerRange layers, const StageWeights& weights);

// The ways of rotating of these layers, without weights: for the memory estimate.
std::vector<PlannedRope> distinct_ropes(const Program& program, LayerRange layers);

}  // namespace drystone

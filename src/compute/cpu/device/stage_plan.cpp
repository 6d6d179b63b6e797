#include "compute/cpu/device/stage_plan.h"

#include <algorithm>
#include <ranges>

namespace drystone {
namespace {

int find_rope(const std::vector<PlannedRope>& ropes, const RopeOp& op) {
  for (std::size_t i = 0; i < ropes.size(); ++i)
    if (ropes[i].inv_freq == op.inv_freq && ropes[i].magnitude == op.magnitude &&
        ropes[i].interleaved == op.interleaved)
      return static_cast<int>(i);
  return -1;
}

// Writes the planned operations of one layer, one operation of the program after the other.
class LayerPlanner {
 public:
  LayerPlanner(const Program& program, const StageWeights& weights,
               const std::vector<PlannedRope>& ropes, std::uint32_t cache_layer)
      : program_(program), weights_(weights), ropes_(ropes) {
    attention_.cache_layer = cache_layer;
  }

  void operator()(const NormOp& op) {
    const float* weight = weights_.vector(op.weight);
    if (op.group == 0) return out_.push_back(PlannedNorm{op.in, op.out, weight, op.eps}), void();
    CHECK(op.in == op.out && (op.in == Slot::q || op.in == Slot::k));
    CHECK(op.group == program_.head_dim &&
          (op.in == Slot::q ? attention_.q_rope : attention_.k_rope) < 0);
    (op.in == Slot::q ? attention_.q_norm : attention_.k_norm) = weight;
    attention_.norm_eps = op.eps;
  }

  void operator()(const LinearOp& op) {
    PlannedLinear linear{.in = op.in, .cols = program_.tensors[op.parts[0].weight].cols};
    for (const LinearPart& part : op.parts) {
      const PackedMatrix& weight = weights_.matrix(part.weight);
      CHECK(weight.cols() == linear.cols, weight.cols(), linear.cols);
      linear.parts.push_back({&weight, weights_.vector(part.bias), part.out});
      if (std::ranges::find(linear.types, weight.type()) == linear.types.end())
        linear.types.push_back(weight.type());
    }
    out_.push_back(std::move(linear));
    if (op.reduce && program_.ranks > 1) {
      CHECK(op.parts.size() == 1, op.parts.size());
      out_.push_back(PlannedReduce{.slot = op.parts[0].out});
    }
  }

  void operator()(const RopeOp& op) {
    CHECK(op.slot == Slot::q || op.slot == Slot::k);
    (op.slot == Slot::q ? attention_.q_rope : attention_.k_rope) = find_rope(ropes_, op);
  }

  void operator()(const AttentionOp& op) {
    CHECK(op.kv_heads == program_.kv_heads && op.head_dim == program_.head_dim);
    PlannedAttention attention = attention_;
    attention.op = op;
    out_.push_back(attention);
  }

  void operator()(const GatedOp& op) { out_.push_back(PlannedGated{op.activation}); }

  // hidden += in, inside the operation that made `in` where that is possible.
  void operator()(const ResidualOp& op) {
    if (auto* linear = std::get_if<PlannedLinear>(&out_.back()))
      if (linear->parts.size() == 1 && linear->parts[0].out == op.in) {
        linear->parts[0].out = Slot::hidden;
        linear->accumulate = true;
        return;
      }
    if (auto* norm = std::get_if<PlannedNorm>(&out_.back());
        norm != nullptr && norm->out == op.in) {
      norm->add_to_hidden = true;
      return;
    }
    out_.push_back(PlannedAdd{op.in});
  }

  std::vector<PlannedOp> take() { return std::move(out_); }

 private:
  const Program& program_;
  const StageWeights& weights_;
  const std::vector<PlannedRope>& ropes_;
  PlannedAttention attention_{};
  std::vector<PlannedOp> out_;
};

// Behind each reduction: what is read next.
void find_next_weights(StagePlan& plan) {
  std::vector<const PackedMatrix*> next;
  for (auto& layer : std::views::reverse(plan.layers))
    for (PlannedOp& op : std::views::reverse(layer)) {
      if (auto* reduce = std::get_if<PlannedReduce>(&op)) reduce->next = next;
      if (const auto* linear = std::get_if<PlannedLinear>(&op)) {
        next.clear();
        for (const PlannedPart& part : linear->parts) next.push_back(part.weight);
      }
    }
}

}  // namespace

std::vector<PlannedRope> distinct_ropes(const Program& program, LayerRange layers) {
  std::vector<PlannedRope> ropes;
  for (std::uint32_t i = layers.begin; i < layers.end; ++i)
    for (const Op& op : program.layers[i].ops)
      if (const auto* rope = std::get_if<RopeOp>(&op);
          rope != nullptr && find_rope(ropes, *rope) < 0)
        ropes.push_back({rope->inv_freq, rope->magnitude, rope->interleaved});
  return ropes;
}

StagePlan plan_stage(const Program& program, LayerRange layers, const StageWeights& weights) {
  StagePlan plan{.ropes = distinct_ropes(program, layers)};
  for (std::uint32_t i = layers.begin; i < layers.end; ++i) {
    LayerPlanner planner(program, weights, plan.ropes, i - layers.begin);
    for (const Op& op : program.layers[i].ops) std::visit(planner, op);
    plan.layers.push_back(planner.take());
  }
  find_next_weights(plan);
  return plan;
}

}  // namespace drystone

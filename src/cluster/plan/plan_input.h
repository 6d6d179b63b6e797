#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "cluster/plan/cost_model.h"
#include "cluster/plan/planner.h"

namespace drystone {

// A node that may take part.
struct Site {
  NodeFigures figures;  // as published, with a name that no other site has
  // The same with everything that is unknown taken from the worst node that knows it, so that the
  // model can be divided all the same. Never shown.
  NodeFigures assumed;
  Bytes available = 0;
};

// One memory that several nodes take from, these sites among them.
struct SharedMemory {
  std::vector<std::uint32_t> sites;
  Bytes available = 0;  // to all of them together
  bool is_of(std::uint32_t site) const { return std::ranges::find(sites, site) != sites.end(); }
};

// Seconds of a step of some rows on one node, whole width, from assumed figures. They scale with
// the share of a rank; fixed times do not.
struct SiteTimes {
  struct Kind {
    double attention_s = 0, feed_forward_s = 0;
  };
  std::vector<Kind> kinds;  // of layers
  double layer_fixed_s = 0, step_fixed_s = 0;
  double output_s = 0;  // of the output matrix over the step's generated rows
};

// Everything that stays the same while placements are compared: the model, the nodes that may take
// part (by id), what is between them, and the request with its defaults filled in.
class PlanInput {
 public:
  // Errors: invalid_argument  the request contradicts itself or names what is not there.
  static Result<PlanInput> make(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                                const LinkTable& links, const PlanRequest& request);

  const ModelFigures& model() const { return *model_; }
  const LinkTable& links() const { return *links_; }
  const PlanRequest& request() const { return request_; }
  const std::vector<Site>& sites() const { return sites_; }
  std::uint32_t layers() const { return static_cast<std::uint32_t>(model_->layers.size()); }
  std::optional<std::uint32_t> head() const { return head_; }  // index of a site, where forced
  const std::vector<SharedMemory>& shared_memories() const { return shared_memories_; }
  // Nodes that cannot take part, with why.
  const std::vector<std::string>& left_out() const { return left_out_; }

  // Index into SiteTimes::kinds of each layer: equal layers are computed once.
  const std::vector<std::uint32_t>& layer_kinds() const { return layer_kinds_; }

  // Of every site. Valid until forget_times(), which keeps the memory of a long search bounded.
  const std::vector<SiteTimes>& times(const StepRows& rows) const;
  void forget_times() const;
  // From one site to another.
  double hop_s(std::uint32_t from, std::uint32_t to, Bytes bytes) const;
  // Over the sites of a group.
  double reduction_s(const std::vector<std::uint32_t>& group, Bytes bytes) const;
  // Up to which a reduction in one round is no slower than one in two. nullopt: not of this group,
  // which has two ranks or less, or links that nobody has measured.
  std::optional<Bytes> one_shot_bytes(const std::vector<std::uint32_t>& group) const;

  // Of a rank's part of one row.
  Bytes sum_bytes() const { return drystone::sum_bytes(model_->d_model); }
  Bytes kv_bytes_of(const LayerFigures& layer) const;  // of all tokens, all KV heads
  // Rows of a step whose logits can be wanted, for which there must be memory.
  std::uint32_t logit_rows() const {
    return std::max(request_.streams, kSequencesMin) + kGuessedRowsMax;
  }

 private:
  struct Path {
    double latency_s = 0, exchange_s = 0, second_per_byte = 0;
  };
  PlanInput() = default;
  Result<void> find_named(const std::vector<NodeFigures>& nodes);
  const AbsentNode* find_absent(const std::string& name) const;  // null: nobody knows it
  Error refuse_name(const std::string& name, const std::vector<NodeFigures>& nodes) const;
  Result<void> choose_sites(const std::vector<NodeFigures>& nodes);
  void find_shared_memories(const std::vector<NodeFigures>& nodes);
  void find_layer_kinds();
  void assume_nodes();
  void assume_paths();
  SiteTimes times_of(const Site& site, const StepRows& rows) const;
  Path worst_path(const std::vector<std::uint32_t>& group) const;
  const Path& path(std::uint32_t from, std::uint32_t to) const {
    return paths_[from * sites_.size() + to];
  }

  const ModelFigures* model_ = nullptr;
  const LinkTable* links_ = nullptr;
  PlanRequest request_;
  std::map<std::string, std::string> named_;  // nodes of the request: what they are called, by id
  std::string named_head_;                    // id; "": the planner chooses
  std::vector<Site> sites_;
  std::vector<SharedMemory> shared_memories_;
  std::optional<std::uint32_t> head_;
  std::vector<std::string> left_out_;
  std::vector<std::uint32_t> layer_kinds_;
  std::vector<const LayerFigures*> kinds_;
  std::vector<Path> paths_;
  using RowsKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
  mutable std::map<RowsKey, std::vector<SiteTimes>> times_;
};

}  // namespace drystone

#include "cluster/plan/shape_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace drystone {
namespace {

using Sites = std::vector<std::uint32_t>;

constexpr std::size_t kHeadsMax = 4;      // of each sort that are tried
constexpr std::uint32_t kMoreStages = 6;  // numbers of stages beyond the smallest that fits
constexpr std::uint32_t kGroupWidths[] = {2, 3, 4, 8};

class ShapeSearch {
 public:
  explicit ShapeSearch(const PlanInput& input) : input_(input) {
    const auto count = static_cast<std::uint32_t>(input.sites().size());
    const auto& times = input.times({.generated = 1,
                                     .position = input.request().prompt_tokens,
                                     .kv_format = input.request().kv_format});
    double layer_bytes = 0;
    for (const LayerFigures& layer : input.model().layers)
      layer_bytes += static_cast<double>(input.kv_bytes_of(layer));
    layer_bytes = (layer_bytes + static_cast<double>(input.model().layer_bytes())) / input.layers();
    for (std::uint32_t i = 0; i < count; ++i) {
      double layer_s = 0;
      for (const std::uint32_t kind : input.layer_kinds())
        layer_s += times[i].kinds[kind].attention_s + times[i].kinds[kind].feed_forward_s +
                   times[i].layer_fixed_s;
      layer_s_.push_back(layer_s / input.layers());
      const double fixed =
          static_cast<double>(input.model().working.fixed +
                              input.request().rows_max * (input.model().working.row_whole +
                                                          input.model().working.row_divided));
      const double room = static_cast<double>(input.sites()[i].available) - fixed;
      room_.push_back(layer_bytes > 0 ? std::max(0.0, room / layer_bytes) : input.layers());
      const double head = static_cast<double>(
          input.model().embedding.bytes + (input.model().tied ? 0 : input.model().output.bytes));
      head_room_.push_back(layer_bytes > 0 ? std::max(0.0, (room - head) / layer_bytes)
                                           : input.layers());
      output_s_.push_back(times[i].output_s);
    }
  }

  std::vector<Shape> run() {
    left_ = every();
    suggest();
    for (const bool small : {false, true}) suggest_disjoint(small);
    return std::move(shapes_);
  }

 private:
  void suggest() {
    const Sites heads = heads_to_try();
    for (std::uint32_t i = 0; i < layer_s_.size(); ++i) shapes_.push_back({{{i}}});
    suggest_stages(heads);
    for (const std::uint32_t head : heads) {
      suggest_shards(head);
      for (const std::uint32_t width : kGroupWidths) suggest_groups(head, width);
      if (input_.request().shards) suggest_groups(head, *input_.request().shards);
    }
  }

  Sites every() const {
    Sites sites(layer_s_.size());
    std::iota(sites.begin(), sites.end(), 0);
    return sites;
  }

  // Of those that are left.
  Sites heads_to_try() const {
    if (input_.head()) return {*input_.head()};
    Sites by_speed = left_, by_room = left_, heads;
    std::ranges::stable_sort(by_speed, {}, [&](std::uint32_t i) { return layer_s_[i]; });
    std::ranges::stable_sort(by_room, {}, [&](std::uint32_t i) { return -room_[i]; });
    for (const Sites& order : {by_speed, by_room})
      for (std::size_t i = 0; i < std::min(order.size(), kHeadsMax); ++i)
        if (std::ranges::find(heads, order[i]) == heads.end()) heads.push_back(order[i]);
    return heads;
  }

  // Layers that site i does within `limit_s`.
  double reach(std::uint32_t i, bool head, double limit_s) const {
    const double left_s = limit_s - (head ? output_s_[i] : 0);
    if (left_s <= 0) return 0;
    const double by_time = layer_s_[i] > 0 ? left_s / layer_s_[i] : input_.layers();
    return std::floor(
        std::min({by_time, head ? head_room_[i] : room_[i], static_cast<double>(input_.layers())}));
  }

  // The `count` sites, the head among them, that reach furthest within the shortest time in which
  // they cover all layers. Empty: no such sites.
  Sites best_set(std::uint32_t head, std::uint32_t count) const {
    double high = 0;
    for (const double layer_s : layer_s_) high = std::max(high, layer_s);
    high = high * input_.layers() + output_s_[head];
    double low = 0;
    Sites best = cover(head, count, high);
    if (best.empty()) return best;
    constexpr int kHalvings = 30;
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (low + high) / 2;
      if (Sites found = cover(head, count, middle); !found.empty())
        best = std::move(found), high = middle;
      else
        low = middle;
    }
    return best;
  }

  Sites cover(std::uint32_t head, std::uint32_t count, double limit_s) const {
    std::vector<std::pair<double, std::uint32_t>> reached;
    const double own = reach(head, true, limit_s);
    if (own < 1) return {};
    for (const std::uint32_t i : left_)
      if (i != head)
        if (const double layers = reach(i, false, limit_s); layers >= 1)
          reached.emplace_back(-layers, i);
    if (reached.size() + 1 < count) return {};
    std::partial_sort(reached.begin(), reached.begin() + (count - 1), reached.end());
    Sites sites = {head};
    double sum = own;
    for (std::uint32_t k = 0; k + 1 < count; ++k) {
      sum -= reached[k].first;
      sites.push_back(reached[k].second);
    }
    if (sum < input_.layers()) return {};
    return sites;
  }

  // The first stays; behind each its nearest of those that are left.
  void order_by_distance(Sites& sites) const {
    const Bytes row = row_bytes(RowFormat::f32, input_.model().d_model);
    for (std::size_t i = 1; i < sites.size(); ++i) {
      const auto nearest =
          std::min_element(sites.begin() + i, sites.end(), [&](std::uint32_t a, std::uint32_t b) {
            return input_.hop_s(sites[i - 1], a, row) < input_.hop_s(sites[i - 1], b, row);
          });
      std::rotate(sites.begin() + i, nearest, nearest + 1);
    }
  }

  void suggest_stages(const Sites& heads) {
    const auto most = std::min(static_cast<std::uint32_t>(layer_s_.size()), input_.layers());
    const auto forced = input_.request().stages;
    std::optional<std::uint32_t> smallest;
    for (std::uint32_t count = forced.value_or(2); count <= forced.value_or(most); ++count) {
      const bool near_smallest = !smallest || count <= *smallest + kMoreStages;
      const bool last = count == std::min(most, std::max(2u, input_.request().streams));
      if (!forced && !near_smallest && !last) continue;
      for (const std::uint32_t head : heads) {
        Sites sites = best_set(head, count);
        if (sites.empty()) continue;
        if (!smallest) smallest = count;
        order_by_distance(sites);
        Shape shape;
        for (const std::uint32_t site : sites) shape.stages.push_back({site});
        shapes_.push_back(std::move(shape));
      }
    }
  }

  // A rough wait per layer of a group: its nodes' speeds add up, and two reductions.
  double wait_s(const Sites& group) const {
    double speed = 0;
    for (const std::uint32_t i : group) speed += 1 / std::max(layer_s_[i], 1e-12);
    return 1 / speed + 2 * input_.reduction_s(group, input_.sum_bytes());
  }

  // The group with one more of `left`: that which makes the shortest wait.
  void grow(Sites& group, Sites& left) const {
    auto best = left.begin();
    double best_s = 0;
    for (auto i = left.begin(); i != left.end(); ++i) {
      group.push_back(*i);
      const double wait = wait_s(group);
      group.pop_back();
      if (i == left.begin() || wait < best_s) best = i, best_s = wait;
    }
    group.push_back(*best);
    left.erase(best);
  }

  Sites all_but(std::uint32_t site) const {
    Sites sites = left_;
    std::erase(sites, site);
    return sites;
  }

  void suggest_shards(std::uint32_t head) {
    Sites group = {head}, left = all_but(head);
    while (group.size() < kRanksMax && !left.empty()) {
      grow(group, left);
      shapes_.push_back({{group}});
    }
    // Where memory is short: the head with the largest.
    group = {head}, left = all_but(head);
    std::ranges::stable_sort(left, {}, [&](std::uint32_t i) { return -room_[i]; });
    for (std::size_t i = 0; i < left.size() && group.size() < kRanksMax; ++i) {
      group.push_back(left[i]);
      shapes_.push_back({{group}});
    }
  }

  void suggest_groups(std::uint32_t head, std::uint32_t width) {
    Sites left = all_but(head);
    Shape shape;
    Sites group = {head};
    const std::size_t stages_max = input_.request().stages.value_or(kRanksMax);
    while (shape.stages.size() < stages_max) {
      if (group.empty()) {
        if (left.empty()) break;
        // The next group begins with the fastest that is left.
        const auto fastest =
            std::ranges::min_element(left, {}, [&](std::uint32_t i) { return layer_s_[i]; });
        group.push_back(*fastest);
        left.erase(fastest);
      }
      while (group.size() < width && !left.empty()) grow(group, left);
      if (group.size() < width) break;
      shape.stages.push_back(std::move(group));
      group.clear();
      shapes_.push_back(shape);
    }
  }

  // For replicas: shapes that have no node in common, one after the other of what is left, each of
  // as few nodes as hold the model. What is best for one takes the same nodes every time. `small`:
  // the last node of each is the smallest that will do, so that there may be more of them.
  void suggest_disjoint(bool small) {
    if (input_.head()) return;
    left_ = every();
    for (Shape shape = narrowest(small); !shape.stages.empty(); shape = narrowest(small)) {
      for (const Sites& stage : shape.stages)
        for (const std::uint32_t site : stage) std::erase(left_, site);
      if (shape.nodes() > 1) shapes_.push_back(std::move(shape));
    }
  }

  Shape narrowest(bool small) const {
    const std::uint32_t width = input_.request().shards.value_or(1);
    const auto forced = input_.request().stages;
    const auto most = static_cast<std::uint32_t>(left_.size()) / width;
    for (std::uint32_t count = forced.value_or(1); count <= std::min(forced.value_or(most), most);
         ++count)
      for (const std::uint32_t head : heads_to_try())
        if (Sites sites = best_set(head, count * width); !sites.empty()) {
          if (small) shrink_last(sites);
          order_by_distance(sites);
          Shape shape;
          for (std::uint32_t i = 0; i < count; ++i)
            shape.stages.emplace_back(sites.begin() + i * width, sites.begin() + (i + 1) * width);
          return shape;
        }
    return {};
  }

  // The last one gives its place to the smallest that holds what the others leave.
  void shrink_last(Sites& sites) const {
    if (sites.size() < 2) return;
    double needed = input_.layers() - std::floor(head_room_[sites[0]]);
    for (std::size_t i = 1; i + 1 < sites.size(); ++i) needed -= std::floor(room_[sites[i]]);
    for (const std::uint32_t i : left_)
      if (std::ranges::find(sites, i) == sites.end() && room_[i] >= std::max(needed, 1.0) &&
          room_[i] < room_[sites.back()])
        sites.back() = i;
  }

  const PlanInput& input_;
  Sites left_;                              // what is taken from now
  std::vector<double> layer_s_, output_s_;  // of each site, the whole width, one generated row
  std::vector<double> room_, head_room_;    // layers that its memory holds
  std::vector<Shape> shapes_;
};

}  // namespace

std::vector<Shape> suggest_shapes(const PlanInput& input) { return ShapeSearch(input).run(); }

}  // namespace drystone

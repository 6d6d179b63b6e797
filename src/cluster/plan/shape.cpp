#include "cluster/plan/shape.h"

#include <algorithm>
#include <set>

#include "cluster/plan/shape_search.h"

namespace drystone {
namespace {

// Every ordered grouping of every subset. Sites of a stage stand in the order of their index, but
// for the head, which is each of the first stage in turn.
class AllShapes {
 public:
  explicit AllShapes(const PlanInput& input) : input_(input) {}

  std::vector<Shape> make() {
    const auto all = (1u << input_.sites().size()) - 1;
    extend(all);
    return std::move(shapes_);
  }

 private:
  void extend(std::uint32_t left) {
    // Subsets of `left` in ascending order: of equal shapes the one of the lower ids comes first.
    for (std::uint32_t group = left & -left; group > 0; group = (group - left) & left) {
      std::vector<std::uint32_t> sites;
      for (std::uint32_t i = 0; i < input_.sites().size(); ++i)
        if (group >> i & 1) sites.push_back(i);
      shape_.stages.push_back(std::move(sites));
      take();
      extend(left & ~group);
      shape_.stages.pop_back();
    }
  }

  void take() {
    Shape shape = shape_;
    auto& first = shape.stages[0];
    for (std::size_t head = 0; head < first.size(); ++head) {
      std::rotate(first.begin(), first.begin() + head, first.begin() + head + 1);
      if (allowed(input_, shape)) shapes_.push_back(shape);
      first = shape_.stages[0];
    }
  }

  const PlanInput& input_;
  Shape shape_;
  std::vector<Shape> shapes_;
};

}  // namespace

std::size_t Shape::nodes() const {
  std::size_t count = 0;
  for (const auto& stage : stages) count += stage.size();
  return count;
}

PlanKind Shape::kind() const {
  const bool shards = std::ranges::any_of(stages, [](const auto& s) { return s.size() > 1; });
  if (stages.size() == 1) return shards ? PlanKind::shards : PlanKind::one_node;
  return shards ? PlanKind::stages_of_shards : PlanKind::stages;
}

std::vector<std::uint32_t> Shape::signature() const {
  std::vector<std::uint32_t> widths, sites;
  for (const auto& stage : stages) {
    widths.push_back(static_cast<std::uint32_t>(stage.size()));
    sites.insert(sites.end(), stage.begin(), stage.end());
  }
  std::ranges::sort(widths);
  std::ranges::sort(sites);
  widths.push_back(0);
  widths.insert(widths.end(), sites.begin(), sites.end());
  return widths;
}

bool allowed(const PlanInput& input, const Shape& shape) {
  const PlanRequest& request = input.request();
  if (shape.stages.empty() || shape.stages.size() > input.layers()) return false;
  if (request.stages && shape.stages.size() != *request.stages) return false;
  if (input.head() && shape.head() != *input.head()) return false;
  const std::size_t ranks_max =
      std::min(kRanksMax, input.model().kv_heads / input.model().kv_block);
  return std::ranges::all_of(shape.stages, [&](const auto& stage) {
    return stage.size() <= ranks_max && (!request.shards || stage.size() == *request.shards);
  });
}

std::vector<Shape> shapes_of(const PlanInput& input) {
  if (input.sites().size() <= kExactNodesMax) return AllShapes(input).make();
  std::set<Shape> seen;
  std::vector<Shape> shapes;
  for (Shape& shape : suggest_shapes(input))
    if (allowed(input, shape) && seen.insert(shape).second) shapes.push_back(std::move(shape));
  return shapes;
}

}  // namespace drystone

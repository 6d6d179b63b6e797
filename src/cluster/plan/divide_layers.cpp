#include "cluster/plan/divide_layers.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace drystone {
namespace {

using Ends = std::vector<std::uint32_t>;

constexpr double kForever = std::numeric_limits<double>::infinity();
constexpr double kExactness = 1e-9;

// The most layers from `begin` that the stage holds within `limit_s`; `begin` when not one.
std::uint32_t reach(const StageLoad& stage, std::uint32_t begin, double limit_s) {
  std::uint32_t low = begin, high = static_cast<std::uint32_t>(stage.seconds.size() - 1);
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (stage.time(begin, middle) <= limit_s && stage.holds(begin, middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

// Where each stage can end when the stages before it end where they can: every end of a run that
// begins where the stage before can end, over stages.
std::optional<Ends> cover_by_all_ends(const std::vector<StageLoad>& stages, double limit_s) {
  const auto layers = static_cast<std::uint32_t>(stages[0].seconds.size() - 1);
  constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::vector<std::uint32_t>> begins;  // a begin of a run of stage p that ends at [n]
  std::vector<bool> ended(layers + 1, false);
  ended[0] = true;
  for (const StageLoad& stage : stages) {
    std::vector<std::uint32_t>& begin_of = begins.emplace_back(layers + 1, kNever);
    std::uint32_t known = 0;  // ends up to here have been seen: runs that begin later end later
    for (std::uint32_t begin = 0; begin < layers; ++begin) {
      if (!ended[begin]) continue;
      const std::uint32_t end = reach(stage, begin, limit_s);
      for (std::uint32_t to = std::max(known, begin) + 1; to <= end; ++to) begin_of[to] = begin;
      known = std::max(known, end);
    }
    for (std::uint32_t end = 0; end <= layers; ++end) ended[end] = begin_of[end] != kNever;
  }
  if (!ended[layers]) return std::nullopt;
  Ends ends(stages.size());
  for (std::size_t p = stages.size(), end = layers; p-- > 0; end = begins[p][end])
    ends[p] = static_cast<std::uint32_t>(end);
  return ends;
}

// Every stage takes as many layers as it can, for a stage that begins later never ends earlier.
// Only where that leaves a stage in front of a layer that it cannot take must other ends be looked
// at.
std::optional<Ends> cover(const std::vector<StageLoad>& stages, double limit_s) {
  const auto layers = static_cast<std::uint32_t>(stages[0].seconds.size() - 1);
  Ends ends;
  std::uint32_t at = 0;
  for (std::size_t p = 0; p < stages.size(); ++p) {
    const auto behind = static_cast<std::uint32_t>(stages.size() - 1 - p);
    const std::uint32_t end = std::min(reach(stages[p], at, limit_s), layers - behind);
    if (end <= at) return cover_by_all_ends(stages, limit_s);
    ends.push_back(at = end);
  }
  if (at != layers) return std::nullopt;
  return ends;
}

double longest(const std::vector<StageLoad>& stages, const Ends& ends) {
  double longest = 0;
  std::uint32_t begin = 0;
  for (std::size_t p = 0; p < stages.size(); ++p) {
    longest = std::max(longest, stages[p].time(begin, ends[p]));
    begin = ends[p];
  }
  return longest;
}

std::optional<Ends> shortest_longest(const std::vector<StageLoad>& stages) {
  std::optional<Ends> best = cover(stages, kForever);
  if (!best) return best;
  double low = 0, high = longest(stages, *best);
  while (high - low > kExactness * high) {
    const double middle = low + (high - low) / 2;
    if (auto found = cover(stages, middle)) {
      best = std::move(found);
      high = longest(stages, *best);
    } else {
      low = middle;
    }
  }
  return best;
}

// The smallest sum with no stage above `limit_s`: over stages, the best for every end of the runs
// so far.
std::optional<Ends> smallest_sum(const std::vector<StageLoad>& stages, double limit_s) {
  const auto layers = static_cast<std::uint32_t>(stages[0].seconds.size() - 1);
  const auto count = static_cast<std::uint32_t>(stages.size());
  std::vector<double> sum(layers + 1, kForever);
  std::vector<std::vector<std::uint32_t>> begins(count, std::vector<std::uint32_t>(layers + 1));
  sum[0] = 0;
  for (std::uint32_t p = 0; p < count; ++p) {
    std::vector<double> next(layers + 1, kForever);
    for (std::uint32_t begin = p; begin < layers; ++begin) {
      if (sum[begin] == kForever) continue;
      const std::uint32_t end =
          std::min(reach(stages[p], begin, limit_s), layers - (count - 1 - p));
      for (std::uint32_t to = begin + 1; to <= end; ++to) {
        const double with = sum[begin] + stages[p].time(begin, to);
        // Of equal sums the first, whatever the last bits say: a division that is made again with
        // figures measured anew stays what it was.
        constexpr double kEqual = 1 - 1e-12;
        if (with < kEqual * next[to]) next[to] = with, begins[p][to] = begin;
      }
    }
    sum = std::move(next);
  }
  if (sum[layers] == kForever) return std::nullopt;
  Ends ends(count);
  for (std::uint32_t p = count, end = layers; p-- > 0; end = begins[p][end]) ends[p] = end;
  return ends;
}

}  // namespace

bool StageLoad::holds(std::uint32_t begin, std::uint32_t end) const {
  return std::ranges::all_of(
      ranks, [&](const Rank& rank) { return rank.bytes[end] - rank.bytes[begin] <= rank.budget; });
}

std::optional<Ends> divide_layers(const std::vector<StageLoad>& stages, DivideBy by) {
  CHECK(!stages.empty());
  if (stages.size() > stages[0].seconds.size() - 1) return std::nullopt;
  if (by == DivideBy::sum) return smallest_sum(stages, kForever);
  const auto balanced = shortest_longest(stages);
  if (!balanced) return balanced;
  return smallest_sum(stages, longest(stages, *balanced) * (1 + kExactness));
}

}  // namespace drystone

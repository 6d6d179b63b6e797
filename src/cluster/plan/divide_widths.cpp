#include "cluster/plan/divide_widths.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>
#include <utility>

namespace drystone {
namespace {

using Units = std::vector<std::uint32_t>;

constexpr double kRounding = 1 + 1e-12;

// What every rank is done with before `limit_s`, or has anyway.
void take_within(Units& taken, double limit_s, const std::vector<double>& unit_s,
                 const Units& most) {
  for (std::size_t r = 0; r < taken.size(); ++r)
    if (unit_s[r] > 0)
      taken[r] = std::clamp(static_cast<std::uint32_t>(limit_s / unit_s[r]), taken[r], most[r]);
}

// The longest time as short as can be: unit by unit to the rank that is done with it first. Each
// rank has at least one and at most `most`. nullopt: the ranks cannot take all.
std::optional<Units> share_out(std::uint32_t units, const std::vector<double>& unit_s,
                               const Units& most) {
  const std::size_t ranks = unit_s.size();
  Units taken(ranks, 1);
  if (units < ranks || std::ranges::find(most, 0u) != most.end()) return std::nullopt;
  // Units that are done before a time at which all together cannot be done go out at once; again
  // for those with room left.
  for (std::size_t round = 0; round < ranks; ++round) {
    double given = 0, open = 0, per_s = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      given += taken[r];
      if (taken[r] < most[r] && unit_s[r] > 0) open += taken[r], per_s += 1 / unit_s[r];
    }
    const double ahead = units - given - static_cast<double>(ranks);
    if (ahead <= 0 || per_s <= 0) break;
    take_within(taken, (open + ahead) / per_s, unit_s, most);
  }
  std::uint32_t given = std::accumulate(taken.begin(), taken.end(), 0u);
  using Next = std::pair<double, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  for (std::size_t r = 0; r < ranks; ++r)
    if (taken[r] < most[r]) next.emplace((taken[r] + 1) * unit_s[r], r);
  for (; given < units; ++given) {
    if (next.empty()) return std::nullopt;
    const std::size_t r = next.top().second;
    next.pop();
    if (++taken[r] < most[r]) next.emplace((taken[r] + 1) * unit_s[r], r);
  }
  return taken;
}

double longest(const Units& units, const std::vector<double>& unit_s) {
  double longest = 0;
  for (std::size_t r = 0; r < units.size(); ++r) longest = std::max(longest, units[r] * unit_s[r]);
  return longest;
}

std::uint32_t units_in(double amount, double unit) {
  if (amount < 0) return 0;
  if (unit <= 0) return std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(std::floor(amount / unit * kRounding), 4e9));
}

// Divides KV heads and feed-forward units, with memory left over from the vocabulary.
class WidthSearch {
 public:
  WidthSearch(const std::vector<RankLoad>& ranks, const WidthUnits& units,
              const std::vector<double>& budgets)
      : ranks_(ranks), units_(units), budgets_(budgets) {
    for (const RankLoad& rank : ranks) kv_s_.push_back(rank.kv_head_s), ff_s_.push_back(rank.ff_s);
  }

  std::optional<std::pair<Units, Units>> run() {
    const Units no_bound(ranks_.size(), std::numeric_limits<std::uint32_t>::max());
    const auto kv = share_out(units_.kv_heads, kv_s_, no_bound);
    const auto ff = share_out(units_.ff, ff_s_, no_bound);
    if (!kv || !ff) return std::nullopt;
    if (fits(*kv, *ff)) return std::pair(*kv, *ff);
    return search(longest(*kv, kv_s_), longest(*ff, ff_s_));
  }

 private:
  bool fits(const Units& kv, const Units& ff) const {
    for (std::size_t r = 0; r < ranks_.size(); ++r)
      if (kv[r] * ranks_[r].kv_head_bytes + ff[r] * ranks_[r].ff_bytes > budgets_[r]) return false;
    return true;
  }

  // The times that a longest attention can have.
  std::vector<double> attention_times(double least_s) const {
    std::vector<double> times;
    for (const double unit_s : kv_s_)
      for (std::uint32_t u = 1; u <= units_.kv_heads; ++u)
        if (u * unit_s >= least_s) times.push_back(u * unit_s);
    if (times.empty()) times.push_back(least_s);
    std::ranges::sort(times);
    times.erase(std::unique(times.begin(), times.end()), times.end());
    // Thinned out where there are many; the largest, under which anything goes, stays.
    if (times.size() > kAttentionTimesMax) {
      std::vector<double> kept;
      for (std::size_t i = 1; i <= kAttentionTimesMax; ++i)
        kept.push_back(times[i * (times.size() - 1) / kAttentionTimesMax]);
      times = std::move(kept);
    }
    return times;
  }

  // The first time above `time_s` that a longest feed-forward can have.
  double next_ff_time(double time_s) const {
    double next = std::numeric_limits<double>::infinity();
    for (const double unit_s : ff_s_)
      if (unit_s > 0) next = std::min(next, (std::floor(time_s / unit_s * kRounding) + 1) * unit_s);
    return next;
  }

  // For a longest attention and feed-forward: the most feed-forward units that the ranks can take
  // beside all KV heads, over ranks and the heads given out so far.
  std::optional<std::pair<Units, Units>> within(double kv_limit_s, double ff_limit_s) const {
    const std::uint32_t heads = units_.kv_heads;
    const std::size_t ranks = ranks_.size();
    constexpr std::int64_t kNone = -1;
    std::vector<std::int64_t> most(heads + 1, kNone);
    std::vector<Units> taken(ranks, Units(heads + 1));
    most[0] = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      std::vector<std::int64_t> next(heads + 1, kNone);
      const std::uint32_t kv_most = std::min(heads, units_in(kv_limit_s, kv_s_[r]));
      for (std::uint32_t u = 1; u <= kv_most; ++u) {
        const std::uint32_t ff = ff_beside(r, u, ff_limit_s);
        if (ff < 1) continue;
        for (std::uint32_t before = 0; before + u <= heads; ++before) {
          if (most[before] == kNone || most[before] + ff <= next[before + u]) continue;
          next[before + u] = most[before] + ff;
          taken[r][before + u] = u;
        }
      }
      most = std::move(next);
    }
    if (most[heads] < static_cast<std::int64_t>(units_.ff)) return std::nullopt;
    Units kv(ranks), ff_most(ranks);
    for (std::size_t r = ranks, left = heads; r-- > 0; left -= kv[r]) {
      kv[r] = taken[r][left];
      ff_most[r] = ff_beside(r, kv[r], ff_limit_s);
    }
    auto ff = share_out(units_.ff, ff_s_, ff_most);
    if (!ff) return std::nullopt;
    return std::pair(std::move(kv), *std::move(ff));
  }

  std::uint32_t ff_beside(std::size_t r, std::uint32_t kv_heads, double limit_s) const {
    const double left = budgets_[r] - kv_heads * ranks_[r].kv_head_bytes;
    return std::min({units_.ff, units_in(left, ranks_[r].ff_bytes), units_in(limit_s, ff_s_[r])});
  }

  std::optional<std::pair<Units, Units>> search(double kv_least_s, double ff_least_s) const {
    std::optional<std::pair<Units, Units>> best;
    double best_s = std::numeric_limits<double>::infinity();
    // The longest feed-forward with those limits, if it goes; what is the best so far is kept.
    const auto ff_within = [&](double kv_s, double ff_s) -> std::optional<double> {
      auto found = within(kv_s, ff_s);
      if (!found) return std::nullopt;
      const double longest_s = longest(found->second, ff_s_);
      const double total = longest(found->first, kv_s_) + longest_s;
      if (total < best_s) best_s = total, best = std::move(found);
      return longest_s;
    };
    const double ff_most_s = units_.ff * *std::ranges::max_element(ff_s_);
    double before_s = 0;  // the attention time before: longer ones are new here
    for (const double kv_s : attention_times(kv_least_s)) {
      if (kv_s + ff_least_s >= best_s) break;
      // The first feed-forward time that goes with it, of those with which the sum can be less.
      auto high_s = ff_within(kv_s, std::min(ff_most_s, (best_s - before_s) / kRounding));
      before_s = kv_s;
      double low_s = ff_least_s / kRounding / kRounding;  // nothing goes with it
      while (high_s && next_ff_time(low_s) < *high_s) {
        const double middle_s = std::max(next_ff_time(low_s), (low_s + *high_s) / 2);
        // What goes may by rounding be longer than its limit.
        if (const auto found_s = ff_within(kv_s, middle_s))
          high_s = std::min(*found_s, middle_s);
        else
          low_s = middle_s;
      }
    }
    return best;
  }

  const std::vector<RankLoad>& ranks_;
  const WidthUnits& units_;
  const std::vector<double>& budgets_;
  std::vector<double> kv_s_, ff_s_;
};

std::optional<Widths> beside_vocab(const std::vector<RankLoad>& ranks, const WidthUnits& units,
                                   const Units& vocab) {
  std::vector<double> budgets;
  for (std::size_t r = 0; r < ranks.size(); ++r)
    budgets.push_back(ranks[r].budget - (vocab.empty() ? 0 : vocab[r] * ranks[r].vocab_bytes));
  auto found = WidthSearch(ranks, units, budgets).run();
  if (!found) return std::nullopt;
  return Widths{std::move(found->first), std::move(found->second), vocab};
}

}  // namespace

std::optional<Widths> divide_widths(const std::vector<RankLoad>& ranks, const WidthUnits& units) {
  if (units.vocab == 0) return beside_vocab(ranks, units, {});
  std::vector<double> by_speed, by_memory;
  Units most;
  for (const RankLoad& rank : ranks) {
    by_speed.push_back(rank.vocab_s);
    by_memory.push_back(rank.budget > 0 ? 1 / rank.budget : 1);
    most.push_back(units_in(rank.budget, rank.vocab_bytes));
  }
  for (const auto& unit : {by_speed, by_memory})
    if (const auto vocab = share_out(units.vocab, unit, most))
      if (auto widths = beside_vocab(ranks, units, *vocab)) return widths;
  return std::nullopt;
}

}  // namespace drystone

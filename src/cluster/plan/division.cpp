#include "cluster/plan/division.h"

#include <algorithm>

#include "cluster/plan/divide_layers.h"
#include "cluster/plan/pace.h"

namespace drystone {
namespace {

using Group = std::vector<std::uint32_t>;

Bytes bytes_of(const std::vector<TypedWeights>& weights) {
  Bytes sum = 0;
  for (const TypedWeights& each : weights) sum += each.bytes;
  return sum;
}

Bytes part_of(Bytes whole, double share) {
  return static_cast<Bytes>(static_cast<double>(whole) * share + 0.5);
}

// The rows that a division is made for: one generated row, the rows of a busy lane, or a chunk of a
// prompt.
StepRows aim(const PlanInput& input, std::size_t stages) {
  const PlanRequest& request = input.request();
  StepRows rows{.position = request.prompt_tokens, .kv_format = request.kv_format};
  const auto count = static_cast<std::uint32_t>(stages);
  if (request.objective == Objective::prompt) {
    rows.prompt = std::clamp(request.prompt_tokens / (2 * count), 1u, request.rows_max);
    rows.position /= 2;
  } else {
    rows.generated =
        request.objective == Objective::many_streams ? std::max(1u, request.streams / count) : 1u;
  }
  return rows;
}

// `times` rise. Where the longest is at most kAlike times the shortest they become their mean; else
// those on either side of the widest gap are looked at for themselves.
void level_alike(std::span<double* const> times) {
  constexpr double kAlike = 1.15;
  if (times.size() < 2) return;
  if (*times.back() <= kAlike * *times.front()) {
    double sum = 0;
    for (const double* time : times) sum += *time;
    for (double* time : times) *time = sum / static_cast<double>(times.size());
    return;
  }
  std::size_t split = 1;
  for (std::size_t i = 2; i < times.size(); ++i)
    if (*times[i] * *times[split - 1] > *times[split] * *times[i - 1]) split = i;
  level_alike(times.first(split));
  level_alike(times.subspan(split));
}

// Of the sites of a shape, to divide by: one time for those that are alike. The same machine
// measures some percent more or less from one time to the next. With equal parts none waits for
// what is only that, and the sums, and with them the texts, stay the same when a part is placed
// again.
std::vector<SiteTimes> level_times(const PlanInput& input, const Shape& shape,
                                   const StepRows& rows) {
  const std::vector<SiteTimes>& all = input.times(rows);
  std::vector<SiteTimes> level(all.size());
  std::vector<SiteTimes*> sites;
  for (const Group& stage : shape.stages)
    for (const std::uint32_t site : stage) {
      level[site] = all[site];
      sites.push_back(&level[site]);
    }
  std::vector<double*> times(sites.size());
  const auto each = [&](auto time_of) {
    std::ranges::transform(sites, times.begin(), time_of);
    std::ranges::sort(times, {}, [](const double* time) { return *time; });
    level_alike(times);
  };
  for (std::size_t kind = 0; kind < sites[0]->kinds.size(); ++kind) {
    each([=](SiteTimes* site) { return &site->kinds[kind].attention_s; });
    each([=](SiteTimes* site) { return &site->kinds[kind].feed_forward_s; });
  }
  each([](SiteTimes* site) { return &site->output_s; });
  each([](SiteTimes* site) { return &site->layer_fixed_s; });
  each([](SiteTimes* site) { return &site->step_fixed_s; });
  return level;
}

class Divider {
 public:
  Divider(const PlanInput& input, const Shape& shape, std::span<const Bytes> room)
      : input_(input),
        room_(room),
        aim_(aim(input, shape.stages.size())),
        times_(level_times(input, shape, aim_)) {
    division_.shape = shape;
  }

  std::optional<Division> run() {
    const std::size_t stages = shape().stages.size();
    // Widths first, for an even number of layers; where memory does not hold as many, for fewer.
    for (std::size_t p = 0; p < stages; ++p) {
      std::optional<Widths> widths;
      for (double layers = 1.0 * input_.layers() / stages; !widths && layers >= 0.5; layers /= 2)
        widths = widths_for(p, layers / input_.layers(), {0, input_.layers()});
      if (!widths) return std::nullopt;
      division_.widths.push_back(*std::move(widths));
    }
    if (stages == 1) {
      division_.layers = {{0, input_.layers()}};
      return division_;
    }
    std::vector<StageLoad> loads;
    for (std::size_t p = 0; p < stages; ++p) loads.push_back(load(p));
    const bool by_sum = input_.request().objective == Objective::one_stream;
    auto ends = divide_layers(loads, DivideBy::longest_stage);
    if (!ends) return std::nullopt;
    if (by_sum && !input_.request().stages) prefer_smaller_sum(loads, *ends);
    std::uint32_t begin = 0;
    for (std::size_t p = 0; p < stages; ++p) {
      division_.layers.push_back({begin, (*ends)[p]});
      begin = (*ends)[p];
      // Now that the layers are known, so is the memory beside them.
      if (shape().stages[p].size() > 1)
        if (auto widths = widths_for(p, 1, division_.layers[p]))
          division_.widths[p] = *std::move(widths);
    }
    return division_;
  }

 private:
  const Shape& shape() const { return division_.shape; }
  const ModelFigures& model() const { return input_.model(); }

  // Memory beside layers and output matrix, with everything that ranks divide counted whole.
  double fixed_bytes(std::size_t stage, std::size_t rank) const {
    const WorkingMemory& working = model().working;
    Bytes bytes =
        working.fixed + input_.request().rows_max * (working.row_whole + working.row_divided);
    if (stage == 0) bytes += input_.logit_rows() * working.logit_row;
    if (stage == 0 && rank == 0) bytes += model().embedding.bytes;
    return static_cast<double>(bytes);
  }

  // Whether the matrix of the first stage's rank is memory of its own: the head has it anyway where
  // it is the embedding.
  double output_bytes(std::size_t rank) const {
    return model().tied && rank == 0 ? 0 : static_cast<double>(model().output.bytes);
  }

  // A single answer waits for all stages in turn: where it gains by more than a little, the fastest
  // nodes take what they can hold.
  static void prefer_smaller_sum(const std::vector<StageLoad>& loads,
                                 std::vector<std::uint32_t>& ends) {
    constexpr double kWorthIt = 0.95;
    constexpr std::size_t kStagesMax = 8;
    if (loads.size() > kStagesMax) return;
    const auto sum = [&](const std::vector<std::uint32_t>& of) {
      double seconds = 0;
      std::uint32_t begin = 0;
      for (std::size_t p = 0; p < loads.size(); begin = of[p++])
        seconds += loads[p].time(begin, of[p]);
      return seconds;
    };
    auto other = divide_layers(loads, DivideBy::sum);
    if (other && sum(*other) < kWorthIt * sum(ends)) ends = *std::move(other);
  }

  // For `part` of what these layers have together.
  std::optional<Widths> widths_for(std::size_t p, double part, Span layers) const {
    const Group& group = shape().stages[p];
    const WidthUnits units = width_units(input_, p == 0);
    if (group.size() == 1)
      return Widths{{units.kv_heads}, {units.ff}, p == 0 ? Group{units.vocab} : Group{}};
    double attention = 0, feed_forward = 0, whole = 0;
    for (std::uint32_t i = layers.begin; i < layers.end; ++i) {
      const LayerFigures& layer = model().layers[i];
      attention += static_cast<double>(bytes_of(layer.attention) + input_.kv_bytes_of(layer));
      feed_forward += static_cast<double>(bytes_of(layer.feed_forward));
      whole += static_cast<double>(layer.whole_bytes);
    }
    std::vector<RankLoad> ranks;
    for (std::size_t r = 0; r < group.size(); ++r) {
      const SiteTimes& times = times_[group[r]];
      double attention_s = 0, feed_forward_s = 0;
      for (std::uint32_t i = layers.begin; i < layers.end; ++i) {
        attention_s += times.kinds[input_.layer_kinds()[i]].attention_s;
        feed_forward_s += times.kinds[input_.layer_kinds()[i]].feed_forward_s;
      }
      RankLoad rank{
          .kv_head_s = attention_s * part / units.kv_heads,
          .ff_s = feed_forward_s * part / units.ff,
          .kv_head_bytes = attention * part / units.kv_heads,
          .ff_bytes = feed_forward * part / units.ff,
          .budget = static_cast<double>(room_[group[r]]) - fixed_bytes(p, r) - whole * part};
      if (p == 0) {
        rank.vocab_s = times.output_s / units.vocab;
        if (rank.vocab_s <= 0) rank.vocab_s = rank.kv_head_s;
        rank.vocab_bytes = output_bytes(r) / units.vocab;
      }
      ranks.push_back(rank);
    }
    return divide_widths(ranks, units);
  }

  StageLoad load(std::size_t p) const {
    const Group& group = shape().stages[p];
    const std::uint32_t rows = aim_.prompt + aim_.generated;
    const double reduce_s = 2 * input_.reduction_s(group, rows * input_.sum_bytes());
    StageLoad load;
    load.seconds = {0};
    const std::vector<Share> shares = shares_of(input_, division_, p);
    for (std::size_t r = 0; r < group.size(); ++r) {
      double budget = static_cast<double>(room_[group[r]]) - fixed_bytes(p, r);
      if (p == 0) budget -= output_bytes(r) * shares[r].vocab;
      load.ranks.push_back({.bytes = {0}, .budget = budget});
      load.extra_s = std::max(load.extra_s, times_[group[r]].step_fixed_s);
    }
    if (p == 0) load.extra_s += head_s(input_, group, shares, times_, aim_.generated);
    for (std::uint32_t i = 0; i < input_.layers(); ++i) {
      const LayerFigures& layer = model().layers[i];
      double attention_s = 0, feed_forward_s = 0;
      for (std::size_t r = 0; r < group.size(); ++r) {
        const SiteTimes& times = times_[group[r]];
        const auto& kind = times.kinds[input_.layer_kinds()[i]];
        attention_s =
            std::max(attention_s, kind.attention_s * shares[r].attention + times.layer_fixed_s);
        feed_forward_s = std::max(feed_forward_s, kind.feed_forward_s * shares[r].feed_forward);
        const double attention =
            static_cast<double>(bytes_of(layer.attention) + input_.kv_bytes_of(layer));
        auto& bytes = load.ranks[r].bytes;
        bytes.push_back(bytes.back() + attention * shares[r].attention +
                        static_cast<double>(bytes_of(layer.feed_forward)) * shares[r].feed_forward +
                        static_cast<double>(layer.whole_bytes));
      }
      load.seconds.push_back(load.seconds.back() + attention_s + feed_forward_s + reduce_s);
    }
    return load;
  }

  const PlanInput& input_;
  const std::span<const Bytes> room_;
  const StepRows aim_;
  const std::vector<SiteTimes> times_;
  Division division_;
};

PartBytes bytes_of_part(const PlanInput& input, const Division& division, std::size_t p,
                        std::size_t r) {
  const ModelFigures& model = input.model();
  const Share share = share_of(input, division, p, r);
  const Span layers = division.layers[p];
  PartBytes bytes;
  for (std::uint32_t i = layers.begin; i < layers.end; ++i) {
    const LayerFigures& layer = model.layers[i];
    bytes.weights += layer.whole_bytes + part_of(bytes_of(layer.attention), share.attention) +
                     part_of(bytes_of(layer.feed_forward), share.feed_forward);
    bytes.kv += part_of(input.kv_bytes_of(layer), share.attention);
  }
  const bool head = p == 0 && r == 0;
  if (head) bytes.weights += model.embedding.bytes;
  if (p == 0 && !(head && model.tied)) bytes.weights += part_of(model.output.bytes, share.vocab);
  const WorkingMemory& working = model.working;
  bytes.working = working.fixed +
                  input.request().rows_max *
                      (working.row_whole +
                       part_of(working.row_divided, std::max(share.attention, share.feed_forward)));
  if (p == 0)
    bytes.working += part_of(input.logit_rows() * working.logit_row, head ? 1 : share.vocab);
  return bytes;
}

}  // namespace

WidthUnits width_units(const PlanInput& input, bool first_stage) {
  const ModelFigures& model = input.model();
  return {.kv_heads = model.kv_heads / model.kv_block,
          .ff = model.ff_width / model.ff_block,
          .vocab = first_stage ? (model.vocab + model.vocab_block - 1) / model.vocab_block : 0};
}

Share share_of(const PlanInput& input, const Division& division, std::size_t stage,
               std::size_t rank) {
  const Widths& widths = division.widths[stage];
  const WidthUnits units = width_units(input, true);
  return {.attention = 1.0 * widths.kv_heads[rank] / units.kv_heads,
          .feed_forward = 1.0 * widths.ff[rank] / units.ff,
          .vocab = stage == 0 ? 1.0 * widths.vocab[rank] / units.vocab : 0};
}

std::vector<Share> shares_of(const PlanInput& input, const Division& division, std::size_t stage) {
  std::vector<Share> shares;
  for (std::size_t r = 0; r < division.shape.stages[stage].size(); ++r)
    shares.push_back(share_of(input, division, stage, r));
  return shares;
}

std::optional<Division> divide(const PlanInput& input, const Shape& shape,
                               std::span<const Bytes> room) {
  return Divider(input, shape, room).run();
}

std::vector<PlacedPart> parts_of(const PlanInput& input, const Division& division) {
  const ModelFigures& model = input.model();
  const Shape& shape = division.shape;
  std::vector<PlacedPart> parts;
  const WidthUnits units = width_units(input, true);
  for (std::size_t p = 0; p < shape.stages.size(); ++p) {
    const Group& group = shape.stages[p];
    const Widths& widths = division.widths[p];
    std::uint32_t kv = 0, ff = 0, vocab = 0;
    for (std::size_t r = 0; r < group.size(); ++r) {
      PlacedPart part{.node = input.sites()[group[r]].figures.id,
                      .stage = static_cast<std::uint32_t>(p),
                      .rank = static_cast<std::uint32_t>(r),
                      .ranks = static_cast<std::uint32_t>(group.size()),
                      .layers = division.layers[p]};
      part.kv_heads = {kv * model.kv_block, (kv + widths.kv_heads[r]) * model.kv_block};
      kv += widths.kv_heads[r];
      part.ff = {ff * model.ff_block, (ff + widths.ff[r]) * model.ff_block};
      ff += widths.ff[r];
      if (p == 0) {
        const auto row = [&](std::uint32_t unit) {
          return unit == units.vocab ? model.vocab : unit * model.vocab_block;
        };
        part.vocab = {row(vocab), row(vocab + widths.vocab[r])};
        vocab += widths.vocab[r];
      }
      part.bytes = bytes_of_part(input, division, p, r);
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

}  // namespace drystone

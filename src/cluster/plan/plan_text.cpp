#include "cluster/plan/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/plan/pace.h"

namespace drystone {
namespace {

constexpr std::size_t kListed = 8;  // names in one message

std::string list_of(std::vector<std::string> parts) {
  const std::size_t more = parts.size() > kListed ? parts.size() - kListed : 0;
  parts.resize(parts.size() - more);
  return fmt::format("{}{}", fmt::join(parts, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string scaled(double value, double factor, const std::vector<const char*>& units) {
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < units.size()) value /= factor, ++unit;
  const double size = std::abs(value);
  return fmt::format("{:.{}f} {}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0, units[unit]);
}

std::string format_amount(double bytes) {
  return scaled(bytes, 1000, {"B", "kB", "MB", "GB", "TB"});
}

const std::string& name_of(const PlanInput& input, std::uint32_t site) {
  return input.sites()[site].figures.name;
}

// "340 MB at 21 GB/s" or "64 G multiply-adds at 210 G/s", whichever is the longer part.
std::string explain_work(const Time& time) {
  if (time.compute_s > time.read_s)
    return fmt::format("{} multiply-adds at {}/s",
                       scaled(time.multiply_adds, 1000, {"", "k", "M", "G", "T"}),
                       scaled(time.multiply_adds / time.compute_s, 1000, {"", "k", "M", "G", "T"}));
  if (time.read_s > 0)
    return fmt::format("{} at {}", format_amount(time.read_bytes),
                       format_per_second(time.read_bytes / time.read_s));
  return format_amount(time.read_bytes);
}

std::string equals(const Time& time) {
  return time.known() ? fmt::format(" = {}", format_seconds(time.seconds)) : " = not known";
}

// Writes down the terms of one generated row, and what is not known for it or for a prompt.
class Explanation {
 public:
  Explanation(const PlanInput& input, const Evaluation& evaluation)
      : input_(input), division_(evaluation.division), stages_(division_.shape.stages) {}

  Estimate run(const Evaluation& evaluation) {
    const PlanRequest& request = input_.request();
    const StepRows one{
        .generated = 1, .position = request.prompt_tokens, .kv_format = request.kv_format};
    const StepRows prompt{
        .prompt = 1, .position = request.prompt_tokens, .kv_format = request.kv_format};
    for (std::size_t p = 0; p < stages_.size(); ++p) {
      for (std::size_t r = 0; r < stages_[p].size(); ++r) {
        part(p, r, one);
        reading_.add(part_time(p, r, prompt));
      }
      reductions(p);
      if (stages_.size() > 1) hop(p);
    }
    Estimate estimate{.terms = std::move(terms_), .unknown = writing_.unknown};
    if (writing_.known()) {
      estimate.one_stream_tok_s = evaluation.one_stream_tok_s;
      estimate.many_streams_tok_s = evaluation.many_streams_tok_s;
    }
    if (reading_.known() && writing_.known()) estimate.prefill_tok_s = evaluation.prefill_tok_s;
    for (const std::string& figure : reading_.unknown)
      if (std::ranges::find(estimate.unknown, figure) == estimate.unknown.end())
        estimate.unknown.push_back(figure);
    return estimate;
  }

 private:
  const NodeFigures& node(std::size_t p, std::size_t r) const {
    return input_.sites()[stages_[p][r]].figures;
  }

  Time part_time(std::size_t p, std::size_t r, const StepRows& rows) const {
    const Share share = share_of(input_, division_, p, r);
    Time time = fixed_time(node(p, r));
    const auto& kinds = input_.layer_kinds();
    const Span layers = division_.layers[p];
    for (std::uint32_t i = layers.begin; i < layers.end;) {
      std::uint32_t end = i + 1;
      while (end < layers.end && kinds[end] == kinds[i]) ++end;
      const LayerTime layer = layer_time(node(p, r), input_.model().layers[i], share, rows);
      time.add(layer.attention, end - i);
      time.add(layer.feed_forward, end - i);
      i = end;
    }
    return time;
  }

  void part(std::size_t p, std::size_t r, const StepRows& rows) {
    const Time time = part_time(p, r, rows);
    std::string where;
    if (stages_.size() > 1) where = fmt::format("stage {} ", p + 1);
    if (stages_[p].size() > 1) where += fmt::format("rank {} ", r + 1);
    if (!where.empty()) where += "on ";
    std::string what = fmt::format("{} layers", division_.layers[p].size());
    if (stages_[p].size() > 1)
      what += fmt::format(", {} of {} KV heads",
                          division_.widths[p].kv_heads[r] * input_.model().kv_block,
                          input_.model().kv_heads);
    terms_.push_back(fmt::format("{}{}: {}, {}{}", where, name_of(input_, stages_[p][r]), what,
                                 explain_work(time), equals(time)));
    writing_.add(time);
    if (p > 0) return;
    const Time output =
        output_time(node(p, r), input_.model(), share_of(input_, division_, p, r), rows.generated);
    terms_.push_back(fmt::format("output matrix on {}: {}{}", name_of(input_, stages_[p][r]),
                                 explain_work(output), equals(output)));
    writing_.add(output);
    if (r > 0) gather(r, rows.generated);
  }

  // What is missing of it is told by the names of its nodes.
  LinkFigures link(const NodeFigures& from, const NodeFigures& to) const {
    LinkFigures figures = input_.links().between(from.id, to.id);
    figures.from = from.name, figures.to = to.name;
    return figures;
  }

  void gather(std::size_t r, std::uint32_t rows) {
    const double share = share_of(input_, division_, 0, r).vocab;
    const auto logits = static_cast<Bytes>(sizeof(float) * share * input_.model().vocab * rows);
    const Time time = hop_time(link(node(0, r), node(0, 0)), logits);
    terms_.push_back(fmt::format("logits from {} to {}: {}{}", name_of(input_, stages_[0][r]),
                                 name_of(input_, stages_[0][0]),
                                 format_amount(static_cast<double>(logits)), equals(time)));
    writing_.add(time);
  }

  void reductions(std::size_t p) {
    if (stages_[p].size() < 2) return;
    std::vector<std::string> names;
    LinkTable links;
    for (std::size_t r = 0; r < stages_[p].size(); ++r) {
      names.push_back(node(p, r).name);
      for (std::size_t other = 0; other < stages_[p].size(); ++other)
        if (other != r) links.set(link(node(p, r), node(p, other)));
    }
    const Reduction each = reduction(links, names, input_.sum_bytes());
    Time all;
    all.add(each.time, 2.0 * division_.layers[p].size());
    terms_.push_back(fmt::format(
        "{} reductions of {} over {} nodes, {}: {} each{}", 2 * division_.layers[p].size(),
        format_amount(static_cast<double>(input_.sum_bytes())), names.size(), to_string(each.way),
        format_seconds(each.time.seconds), equals(all)));
    writing_.add(all);
  }

  // From stage p to the next, or back to the head.
  void hop(std::size_t p) {
    const bool back = p + 1 == stages_.size();
    const auto& next = stages_[back ? 0 : p + 1];
    const std::size_t fan = (next.size() + stages_[p].size() - 1) / stages_[p].size();
    const Bytes bytes = row_bytes(division_.row_format, input_.model().d_model) * fan;
    for (std::size_t r = 0; r < next.size(); ++r) {
      const std::size_t from = r % stages_[p].size();
      const NodeFigures& to = input_.sites()[next[r]].figures;
      const Time time = hop_time(link(node(p, from), to), bytes);
      writing_.add(time);
      terms_.push_back(fmt::format("{} {} to {}: {}{}", back ? "back from" : "hop from",
                                   name_of(input_, stages_[p][from]), name_of(input_, next[r]),
                                   format_amount(static_cast<double>(bytes)), equals(time)));
    }
  }

  const PlanInput& input_;
  const Division& division_;
  const std::vector<std::vector<std::uint32_t>>& stages_;
  std::vector<std::string> terms_;
  Time writing_, reading_;
};

std::string group_text(const PlanInput& input, const Division& division, std::size_t p) {
  const auto& group = division.shape.stages[p];
  const auto kv_heads = [&](std::size_t rank) {
    return division.widths[p].kv_heads[rank] * input.model().kv_block;
  };
  std::string text;
  for (std::size_t r = 0; r < group.size(); ++r) {
    text += fmt::format("{}{}{}", r > 0 ? ", " : "", name_of(input, group[r]),
                        p == 0 && r == 0 ? " (head)" : "");
    if (group.size() > 1)
      text += r > 0 ? fmt::format(" {}", kv_heads(r))
                    : fmt::format(" {} of {} KV heads", kv_heads(r), input.model().kv_heads);
  }
  return text;
}

}  // namespace

std::string format_seconds(double seconds) {
  return scaled(seconds * 1e6, 1000, {"us", "ms", "s"});
}

std::string format_per_second(double per_second) { return format_amount(per_second) + "/s"; }

std::optional<double> speed_for(const Estimate& estimate, Objective objective,
                                std::uint32_t streams) {
  switch (objective) {
    case Objective::prompt:
      return estimate.prefill_tok_s;
    case Objective::many_streams:
      return estimate.many_streams_tok_s;
    case Objective::one_stream:
      return estimate.one_stream_tok_s;
    case Objective::automatic:
      return streams > 1 ? estimate.many_streams_tok_s : estimate.one_stream_tok_s;
  }
  CHECK(false, static_cast<int>(objective));
}

std::string format_speed(double tok_s) {
  return fmt::format("{:.{}f} tok/s", tok_s, tok_s < 9.95 ? 1 : 0);
}

std::string summarize(const PlanInput& input, const Evaluation& evaluation) {
  const Division& division = evaluation.division;
  const auto& stages = division.shape.stages;
  switch (division.shape.kind()) {
    case PlanKind::one_node:
      return name_of(input, stages[0][0]) + " alone";
    case PlanKind::shards:
      return fmt::format("{} shards: {}", stages[0].size(), group_text(input, division, 0));
    default:
      break;
  }
  std::string text;
  for (std::size_t p = 0; p < stages.size(); ++p) {
    if (p == kListed && stages.size() > kListed + 1) {
      text += fmt::format(" and {} more", stages.size() - p);
      break;
    }
    const std::string group = group_text(input, division, p);
    text += fmt::format("{}{} {}{}..{}", p > 0 ? ", " : "",
                        stages[p].size() > 1 ? "(" + group + ")" : group, p == 0 ? "layers " : "",
                        division.layers[p].begin, division.layers[p].end);
  }
  return fmt::format("{} {}: {}", stages.size(), to_string(division.shape.kind()), text);
}

std::string summarize(const PlanInput& input, const Shape& shape) {
  if (shape.nodes() == 1) return name_of(input, shape.head()) + " alone";
  std::vector<std::string> names;
  for (const auto& stage : shape.stages)
    for (const std::uint32_t site : stage) names.push_back(name_of(input, site));
  const std::size_t number =
      shape.kind() == PlanKind::shards ? shape.stages[0].size() : shape.stages.size();
  return fmt::format("{} {}: {}", number, to_string(shape.kind()), list_of(names));
}

std::string explain(const PlanInput& input, const Misfit& misfit) {
  std::vector<std::string> each;
  for (const auto& stage : misfit.shape.stages)
    for (const std::uint32_t site : stage)
      each.push_back(
          fmt::format("{} {}", name_of(input, site), format_bytes(input.sites()[site].available)));
  std::string free = list_of(each);
  for (const SharedMemory& memory : input.shared_memories()) {
    std::vector<std::string> names;
    for (const auto& stage : misfit.shape.stages)
      for (const std::uint32_t site : stage)
        if (memory.is_of(site)) names.push_back(name_of(input, site));
    if (names.size() > 1)
      free += fmt::format("; {} are one machine with {} for all of them", list_of(names),
                          format_bytes(memory.available));
  }
  // What a shorter context and fewer streams make smaller, where that is much of it.
  const bool is_much = misfit.beside_weights >= misfit.needed / 10;
  const std::string beside = is_much ? fmt::format(" ({} of it KV cache and working memory)",
                                                   format_bytes(misfit.beside_weights))
                                     : "";
  std::string text = fmt::format("needs {}{}, free {} ({})", format_bytes(misfit.needed), beside,
                                 format_bytes(misfit.available), free);
  if (misfit.missing() > 0)
    return text + fmt::format(": short by {}", format_bytes(misfit.missing()));
  return text + (misfit.shape.nodes() == 1 ? ""
                                           : ": together enough, but no cut into whole layers and "
                                             "KV heads was found that fits each");
}

Estimate explain(const PlanInput& input, const Evaluation& evaluation) {
  return Explanation(input, evaluation).run(evaluation);
}

std::string explain_reduction(const PlanInput& input, const Evaluation& evaluation) {
  const auto& group = evaluation.division.shape.stages[0];
  if (evaluation.division.shape.stages.size() > 1 || group.size() < 2) return "";
  const auto& times = input.times({.generated = 1,
                                   .position = input.request().prompt_tokens,
                                   .kv_format = input.request().kv_format});
  // A token on one node, if it held everything: the mean of them.
  double one_node_s = 0;
  for (const std::uint32_t site : group) {
    double seconds = times[site].step_fixed_s + times[site].output_s;
    for (const std::uint32_t kind : input.layer_kinds())
      seconds += times[site].kinds[kind].attention_s + times[site].kinds[kind].feed_forward_s +
                 times[site].layer_fixed_s;
    one_node_s += seconds / group.size();
  }
  const double limit_s =
      reduction_limit_s(one_node_s, static_cast<std::uint32_t>(group.size()), input.layers());
  const double each_s = input.reduction_s(group, input.sum_bytes());
  return fmt::format("a reduction takes {}; below {} shards shorten the wait of one request",
                     format_seconds(each_s), format_seconds(limit_s));
}

}  // namespace drystone

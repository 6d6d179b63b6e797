#include "cluster/plan/offers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <variant>

#include "cluster/plan/evaluation.h"
#include "cluster/plan/pace.h"
#include "cluster/plan/plan_text.h"
#include "cluster/plan/replicas.h"
#include "cluster/plan/shape.h"

namespace drystone {
namespace {

// What is known stands before what is not; of that one node before several, which may be slower
// than one for all we know.
int rank_of_knowledge(bool known, std::size_t nodes) { return known ? 0 : nodes == 1 ? 1 : 2; }

// A further node is a further one that can fail: it must bring at least as much.
constexpr double kWorthOfNode = 0.01;

double rank(double score, std::size_t nodes) {
  return score * (1 - kWorthOfNode * std::min<double>(static_cast<double>(nodes) - 1, 50));
}

std::string times_text(double factor) {
  if (factor > 0.995 && factor < 1.005) return "as fast";
  if (factor >= 1.1) return fmt::format("{:.2g} times as fast", factor);
  return factor > 1 ? fmt::format("{:.1f}% faster", (factor - 1) * 100)
                    : fmt::format("{:.0f}% slower", (1 - factor) * 100);
}

// "" where everything is known.
std::string unmeasured(const Estimate& estimate) {
  if (estimate.unknown.empty()) return "";
  const std::size_t more = estimate.unknown.size() - 1;
  return fmt::format("no estimate: not measured yet: {}{}", estimate.unknown[0],
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

class Comparison {
 public:
  explicit Comparison(const PlanInput& input) : input_(input), request_(input.request()) {}

  Plan run() {
    compare();
    for (Evaluation& each : evaluations_) each.known = explain(input_, each).unknown.empty();
    std::ranges::stable_sort(evaluations_, {}, [&](const Evaluation& each) { return order(each); });
    for (const Evaluation& each : evaluations_)
      if (each.division.shape.nodes() == 1 && alone_ == nullptr) alone_ = &each;
    if (request_.replicas.value_or(1) == 1)
      for (const Evaluation& each : evaluations_) scored_.emplace_back(order(each), offer(each));
    if (request_.replicas != 1u) add_replicas();
    keep_best();
    add_refusals();
    plan_.advice = advice();
    return std::move(plan_);
  }

 private:
  // The least stands first.
  using Order = std::pair<int, double>;
  static Order order(bool known, double score, std::size_t nodes) {
    return {rank_of_knowledge(known, nodes), -rank(score, nodes)};
  }
  Order order(const Evaluation& each) const {
    return order(each.known, each.score(request_.objective), each.division.shape.nodes());
  }

  // Of shapes that differ only in order or head, the best; of those that do not fit, the nearest.
  void compare() {
    std::map<std::vector<std::uint32_t>, Evaluation> best;
    std::map<std::pair<PlanKind, std::size_t>, Misfit> nearest;
    for (const Shape& shape : shapes_of(input_)) {
      input_.forget_times();
      auto evaluated = evaluate(input_, shape);
      if (auto* misfit = std::get_if<Misfit>(&evaluated)) {
        const auto [kept, first] = nearest.try_emplace({shape.kind(), shape.nodes()}, *misfit);
        if (!first && closer(*misfit, kept->second)) kept->second = std::move(*misfit);
        plan_.divisions += misfit->missing() == 0;
        continue;
      }
      ++plan_.divisions;
      auto& evaluation = std::get<Evaluation>(evaluated);
      const auto [kept, first] = best.try_emplace(shape.signature(), evaluation);
      if (!first && evaluation.score(request_.objective) > kept->second.score(request_.objective))
        kept->second = std::move(evaluation);
    }
    for (auto& [signature, evaluation] : best) evaluations_.push_back(std::move(evaluation));
    for (auto& [key, misfit] : nearest) misfits_.push_back(std::move(misfit));
  }

  static bool closer(const Misfit& a, const Misfit& b) {
    if (a.missing() != b.missing()) return a.missing() < b.missing();
    return a.available > b.available;
  }

  Placement placement(const Evaluation& each, const std::string& instance) const {
    return {.instance = instance,
            .model = input_.model().name,
            .head = each.parts[0].node,
            .shape = shape_of(input_.model()),
            .context = request_.context,
            .kv_tokens = request_.kv_tokens,
            .streams = request_.streams,
            .rows_max = request_.rows_max,
            .kv_format = request_.kv_format,
            .row_format = each.division.row_format,
            .one_shot_bytes = one_shot_bytes(input_, each.division),
            .parts = each.parts};
  }

  void add_nodes(Offer& offer, const Evaluation& each) const {
    for (const PlacedPart& part : each.parts) {
      const Site& site = input_.sites()[each.division.shape.stages[part.stage][part.rank]];
      offer.nodes.push_back({.node = part.node,
                             .name = site.figures.name,
                             .bytes = part.bytes,
                             .reserve = site.figures.reserve_bytes,
                             .available = site.available});
    }
  }

  Offer offer(const Evaluation& each) const {
    Offer offer{.kind = each.division.shape.kind(),
                .summary = summarize(input_, each),
                .placements = {placement(each, request_.instance)},
                .estimate = explain(input_, each)};
    add_nodes(offer, each);
    offer.reason = reason(each, offer);
    return offer;
  }

  std::string reason(const Evaluation& each, const Offer& offer) const {
    std::string text;
    const auto say = [&](std::string sentence) {
      if (!sentence.empty()) text += (text.empty() ? "" : "; ") + std::move(sentence);
    };
    if (offer.kind == PlanKind::one_node) {
      say("fits on one node: no link to wait for, no other node to fail");
    } else if (alone_ == nullptr) {
      say("fits on no single node");
    } else if (offer.estimate.one_stream_tok_s) {
      say(fmt::format("against one node, one stream is {}",
                      times_text(each.one_stream_tok_s / alone_->one_stream_tok_s)));
      if (request_.streams > 1)
        say(fmt::format("{} streams are {}", request_.streams,
                        times_text(each.many_streams_tok_s / alone_->many_streams_tok_s)));
      if (offer.estimate.prefill_tok_s)
        say(fmt::format("a prompt of {} tokens {}", request_.prompt_tokens,
                        times_text(each.prefill_tok_s / alone_->prefill_tok_s)));
    }
    say(explain_reduction(input_, each));
    if (each.division.row_format != RowFormat::f32)
      say(fmt::format("rows between stages are rounded to {}{}",
                      to_string(each.division.row_format),
                      request_.row_format ? ", as asked" : ": as f32 the cables would slow it"));
    say(unmeasured(offer.estimate));
    return text;
  }

  void add_replicas() {
    const auto chosen = choose_replicas(input_, evaluations_);
    const auto wanted = request_.replicas.value_or(2);
    if (chosen.size() < 2 || chosen.size() < wanted) {
      if (request_.replicas)
        plan_.refusals.push_back(
            {PlanKind::replicas, fmt::format("{} replicas", wanted),
             fmt::format("{} fits {} time{} on these nodes", input_.model().name, chosen.size(),
                         chosen.size() == 1 ? "" : "s")});
      return;
    }
    Offer offer{.kind = PlanKind::replicas};
    std::size_t nodes = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Evaluation& each = *chosen[i];
      nodes += each.division.shape.nodes();
      offer.summary += (i > 0 ? "; " : "") + summarize(input_, each);
      offer.placements.push_back(
          placement(each, i > 0 ? fmt::format("{}#{}", request_.instance, i) : request_.instance));
      add_nodes(offer, each);
      const Estimate estimate = explain(input_, each);
      for (const std::string& term : estimate.terms)
        offer.estimate.terms.push_back(fmt::format("replica {}: {}", i + 1, term));
      offer.estimate.unknown.insert(offer.estimate.unknown.end(), estimate.unknown.begin(),
                                    estimate.unknown.end());
    }
    const ReplicaPace pace = replica_pace(input_, chosen);
    if (offer.estimate.unknown.empty()) {
      offer.estimate.one_stream_tok_s = pace.one_stream_tok_s;
      offer.estimate.many_streams_tok_s = pace.many_streams_tok_s;
      offer.estimate.prefill_tok_s = pace.prefill_tok_s;
    }
    offer.summary = fmt::format("{} replicas: {}", chosen.size(), offer.summary);
    offer.reason = request_.streams > 1
                       ? "whole requests go to whichever is free; one node's end ends only its own"
                       : "one request uses one replica: this pays for several at once";
    if (!offer.estimate.unknown.empty()) offer.reason += "; " + unmeasured(offer.estimate);
    const double value = request_.objective == Objective::many_streams ? pace.many_streams_tok_s
                         : request_.objective == Objective::prompt     ? pace.prefill_tok_s
                                                                       : pace.one_stream_tok_s;
    scored_.emplace_back(order(offer.estimate.unknown.empty(), value, nodes), std::move(offer));
  }

  // The best, among them at least one of every kind.
  void keep_best() {
    std::ranges::stable_sort(scored_, {}, [](const auto& each) { return each.first; });
    std::vector<bool> keep(scored_.size(), false);
    std::map<PlanKind, bool> seen;
    for (std::size_t i = 0; i < scored_.size(); ++i)
      keep[i] = seen.try_emplace(scored_[i].second.kind, true).second;
    auto kept = static_cast<std::size_t>(std::ranges::count(keep, true));
    for (std::size_t i = 0; i < scored_.size() && kept < kOffersMax; ++i)
      if (!keep[i]) keep[i] = true, ++kept;
    for (std::size_t i = 0; i < scored_.size(); ++i)
      if (keep[i]) plan_.offers.push_back(std::move(scored_[i].second));
  }

  void add_refusals() {
    for (const std::string& reason : input_.left_out())
      plan_.refusals.push_back({PlanKind::one_node, "a node that cannot be used", reason});
    std::ranges::stable_sort(misfits_, {}, [](const Misfit& each) { return each.missing(); });
    for (const Misfit& misfit : misfits_) {
      if (plan_.refusals.size() >= kRefusalsMax) break;
      plan_.refusals.push_back(
          {misfit.shape.kind(), summarize(input_, misfit.shape), explain(input_, misfit)});
    }
  }

  std::string speed_of(const Offer& offer) const {
    const auto speed = speed_for(offer.estimate, request_.objective, request_.streams);
    return speed ? format_speed(*speed) : "speed not known";
  }

  std::string advice() const {
    if (plan_.offers.empty()) return "";
    const Offer& best = plan_.offers[0];
    const auto first = [&](auto wanted) { return std::ranges::find_if(plan_.offers, wanted); };
    const auto alone = first([](const Offer& each) { return each.kind == PlanKind::one_node; });
    const auto split = first([](const Offer& each) {
      return each.kind != PlanKind::one_node && each.kind != PlanKind::replicas;
    });
    const auto end = plan_.offers.end();
    if (alone == end) return fmt::format("{}: {}", best.summary, speed_of(best));
    std::string text = fmt::format("fits on {}: {}", alone->summary, speed_of(*alone));
    if (split == end) return text;
    text += fmt::format("; {}: {}", split->summary, speed_of(*split));
    if (!split->estimate.unknown.empty())
      text += fmt::format(". Whether splitting helps is not known yet (not measured: {})",
                          split->estimate.unknown[0]);
    else if (split > alone && alone->estimate.unknown.empty())
      text += ". Splitting would only slow the model down";
    return best.kind == PlanKind::replicas
               ? fmt::format("{}; {}: {}", text, best.summary, speed_of(best))
               : text;
  }

  const PlanInput& input_;
  const PlanRequest& request_;
  std::vector<Evaluation> evaluations_;
  std::vector<Misfit> misfits_;
  const Evaluation* alone_ = nullptr;
  std::vector<std::pair<Order, Offer>> scored_;
  Plan plan_;
};

}  // namespace

std::string_view to_string(PlanKind kind) {
  switch (kind) {
    case PlanKind::one_node:
      return "one node";
    case PlanKind::replicas:
      return "replicas";
    case PlanKind::stages:
      return "stages";
    case PlanKind::shards:
      return "shards";
    case PlanKind::stages_of_shards:
      return "stages of shards";
  }
  CHECK(false, static_cast<int>(kind));
}

Plan compare_offers(const PlanInput& input) { return Comparison(input).run(); }

}  // namespace drystone

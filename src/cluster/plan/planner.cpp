#include "cluster/plan/planner.h"

#include <fmt/format.h>

#include "cluster/plan/offers.h"
#include "cluster/plan/plan_input.h"
#include "cluster/plan/plan_text.h"

namespace drystone {
namespace {

Plan plan_once(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
               const LinkTable& links, const PlanRequest& request) {
  auto input = PlanInput::make(model, nodes, links, request);
  if (!input) return Plan{.error = std::move(input).error()};
  return compare_offers(*input);
}

// What would fit instead: each tried, not guessed.
std::string instead(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                    const LinkTable& links, const PlanRequest& request) {
  const auto works = [&](const PlanRequest& other) {
    const Plan plan = plan_once(model, nodes, links, other);
    return plan.offers.empty() ? std::string() : plan.offers[0].summary;
  };
  if (request.stages || request.shards || request.replicas.value_or(1) != 1 ||
      !request.nodes.empty() || !request.head.empty()) {
    PlanRequest free = request;
    free.stages = free.shards = free.replicas = std::nullopt;
    free.nodes.clear();
    free.head.clear();
    if (const std::string summary = works(free); !summary.empty())
      return fmt::format("It fits where the choice is free: {}", summary);
  }
  constexpr std::uint32_t kContextMin = 64;
  const auto total = [&](const PlanRequest& other) -> std::optional<Bytes> {
    const Plan plan = plan_once(model, nodes, links, other);
    if (plan.offers.empty()) return std::nullopt;
    Bytes bytes = 0;
    for (const NodeShare& share : plan.offers[0].nodes) bytes += share.bytes.total();
    return bytes;
  };
  PlanRequest smaller = request;
  if (request.kv_format != KvFormat::q8_0) {
    smaller.kv_format = KvFormat::q8_0;
    if (!works(smaller).empty()) return "It would fit with a KV cache of q8_0";
    smaller.kv_format = request.kv_format;
  }
  smaller.context = request.context > 0 ? request.context : model.context;
  for (smaller.kv_tokens = 0; smaller.context / 2 >= kContextMin;) {
    smaller.context /= 2;
    if (const auto bytes = total(smaller))
      return fmt::format("It would fit with a context of {} tokens: {} (`--context {}`)",
                         smaller.context, format_bytes(*bytes), smaller.context);
  }
  smaller.context = request.context;
  for (smaller.streams = request.streams; smaller.streams > 1;) {
    smaller.streams /= 2;
    if (const auto bytes = total(smaller))
      return fmt::format(
          "It would fit with {} at once: {} (`--streams {}`)",
          smaller.streams == 1 ? "one request" : fmt::format("{} requests", smaller.streams),
          format_bytes(*bytes), smaller.streams);
  }
  return "Try a smaller quantization or add a node";
}

// Sets error and why.
void say_no_offer(Plan& plan, const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                  const LinkTable& links, const PlanRequest& request) {
  const std::uint64_t wanted = std::uint64_t{request.stages.value_or(1)} *
                               request.shards.value_or(1) * request.replicas.value_or(1);
  const std::size_t usable = request.nodes.empty() ? nodes.size() : request.nodes.size();
  if (wanted > usable)
    plan.why = fmt::format("that takes {} nodes, and {} can be used", wanted, usable);
  else
    plan.why = plan.refusals.empty() ? "there is no node to place it on" : plan.refusals[0].reason;
  plan.error = Error(wanted > usable ? Errc::invalid_argument : Errc::out_of_memory,
                     fmt::format("cannot place {}: {}. Running models are unaffected. {}",
                                 model.name, plan.why, instead(model, nodes, links, request)));
}

// What somebody who forces a split should know: that one node alone is faster.
std::string against_splitting(const Plan& forced, const ModelFigures& model,
                              const std::vector<NodeFigures>& nodes, const LinkTable& links,
                              PlanRequest request) {
  const bool is_split = request.stages.value_or(1) * request.shards.value_or(1) > 1;
  if (!is_split || request.replicas.value_or(1) > 1 || forced.offers[0].estimate.unknown.size() > 0)
    return "";
  request.stages = request.shards = 1;
  const Plan alone = plan_once(model, nodes, links, request);
  if (alone.offers.empty() || !alone.offers[0].estimate.unknown.empty()) return "";
  const auto speed = [&](const Offer& offer) {
    return *speed_for(offer.estimate, request.objective, request.streams);
  };
  const double gain = speed(forced.offers[0]) / speed(alone.offers[0]);
  if (gain >= 1) return "";
  return fmt::format(". {} would do {}: this split only slows the model down",
                     alone.offers[0].summary, format_speed(speed(alone.offers[0])));
}

}  // namespace

Plan plan(const ModelFigures& model, const std::vector<NodeFigures>& nodes, const LinkTable& links,
          const PlanRequest& request) {
  Plan plan = plan_once(model, nodes, links, request);
  if (plan.error) plan.why = plan.error->message();
  if (!plan.error && plan.offers.empty()) say_no_offer(plan, model, nodes, links, request);
  if (!plan.offers.empty()) plan.advice += against_splitting(plan, model, nodes, links, request);
  return plan;
}

}  // namespace drystone

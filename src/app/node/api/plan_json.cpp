#include "app/node/api/plan_json.h"

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

json::value or_null(const std::optional<double>& figure) {
  return figure ? json::value(*figure) : json::value(nullptr);
}

json::array texts(const std::vector<std::string>& all) {
  return json::array(all.begin(), all.end());
}

json::object share_json(const NodeShare& share) {
  return {{"node", share.node},
          {"name", share.name},
          {"weights_bytes", share.bytes.weights},
          {"kv_bytes", share.bytes.kv},
          {"working_bytes", share.bytes.working},
          {"total_bytes", share.bytes.total()},
          {"reserve_bytes", share.reserve},
          {"available_bytes", share.available}};
}

json::object offer_json(const Offer& offer) {
  json::array nodes, placements;
  for (const NodeShare& share : offer.nodes) nodes.push_back(share_json(share));
  for (const Placement& placement : offer.placements) placements.push_back(to_json(placement));
  const Estimate& estimate = offer.estimate;
  return {{"kind", to_string(offer.kind)},
          {"summary", offer.summary},
          {"reason", offer.reason},
          {"nodes", std::move(nodes)},
          {"estimate",
           {{"prefill_tok_s", or_null(estimate.prefill_tok_s)},
            {"one_stream_tok_s", or_null(estimate.one_stream_tok_s)},
            {"many_streams_tok_s", or_null(estimate.many_streams_tok_s)},
            {"terms", texts(estimate.terms)},
            {"unknown", texts(estimate.unknown)}}},
          {"placements", std::move(placements)}};
}

}  // namespace

json::object to_json(const Plan& plan) {
  json::array offers, refusals;
  for (const Offer& offer : plan.offers) offers.push_back(offer_json(offer));
  for (const Refusal& refusal : plan.refusals)
    refusals.push_back({{"kind", to_string(refusal.kind)},
                        {"summary", refusal.summary},
                        {"reason", refusal.reason}});
  json::object out = {
      {"offers", std::move(offers)}, {"refusals", std::move(refusals)}, {"advice", plan.advice}};
  if (plan.error) {
    out["error"] = plan.error->message();
    out["code"] = to_string(plan.error->code());
  }
  return out;
}

}  // namespace drystone

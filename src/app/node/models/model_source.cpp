#include "app/node/models/model_source.h"

#include <boost/json.hpp>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

constexpr std::size_t kPathMax = 4096, kIdentityMax = 128, kHoldersMax = 4096;

}  // namespace

boost::json::object to_json(const ModelSource& source) {
  return {{"model", source.model},
          {"identity", source.identity},
          {"path", source.path},
          {"holders", boost::json::array(source.holders.begin(), source.holders.end())}};
}

Result<ModelSource> model_source_from_json(const boost::json::value& value) {
  ModelSource source;
  JsonFields fields(value, "source of a model");
  fields.string("model", source.model, kPlanNameMax);
  fields.string("identity", source.identity, kIdentityMax);
  fields.string("path", source.path, kPathMax);
  if (const auto* holders = fields.need_array("holders", kHoldersMax))
    for (const boost::json::value& holder : *holders) {
      const auto* id = holder.if_string();
      if (id == nullptr || id->size() > kPlanNameMax) {
        fields.fail("holders", "has something that is no node");
        break;
      }
      source.holders.emplace_back(std::string_view(*id));
    }
  TRY(fields.finish());
  return source;
}

}  // namespace drystone

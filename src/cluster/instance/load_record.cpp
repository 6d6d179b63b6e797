#include "cluster/instance/load_record.h"

#include <boost/json.hpp>
#include <limits>

#include "cluster/wire/json_fields.h"

namespace drystone {

namespace json = boost::json;

json::object to_json(const LoadRecord& record) {
  json::object out = {
      {"asked", record.asked}, {"was_ready", record.was_ready}, {"failures", record.failures}};
  if (!record.error.empty()) out["error"] = record.error;
  return out;
}

Result<LoadRecord> load_record_from_json(const json::value& value) {
  LoadRecord record;
  JsonFields fields(value, "record of loads");
  fields.integer("asked", record.asked, 0, std::numeric_limits<std::int64_t>::max());
  fields.boolean("was_ready", record.was_ready);
  fields.integer("failures", record.failures, 0, 1 << 30);
  fields.maybe_string("error", record.error, kLoadErrorMax);
  TRY(fields.finish());
  return record;
}

}  // namespace drystone

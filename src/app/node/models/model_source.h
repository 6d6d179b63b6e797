#pragma once

#include <boost/json/fwd.hpp>

#include "app/node/models/model_catalog.h"

namespace drystone {

// What stands at source/MODEL (docs/formats/cluster-api.md).
boost::json::object to_json(const ModelSource& source);
// Errors: corrupt.
Result<ModelSource> model_source_from_json(const boost::json::value& value);

}  // namespace drystone

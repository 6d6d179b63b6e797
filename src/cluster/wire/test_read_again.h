#pragma once

#include <boost/json.hpp>
#include <string>

#include "base/check.h"
#include "base/result.h"

namespace drystone {

// For fuzz targets: what `reader` takes must come out the same when it is written and read again.
template <typename T>
void check_read_again(const boost::json::value& value,
                      Result<T> (*reader)(const boost::json::value&)) {
  const Result<T> read = reader(value);
  if (!read) return;
  const std::string text = boost::json::serialize(to_json(*read));
  const auto again = reader(boost::json::parse(text));
  CHECK(again.has_value() && *again == *read, text);
}

}  // namespace drystone

#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "bench/serve/load_run.h"

namespace drystone {

struct Percentiles {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
  std::size_t count = 0;
};

Percentiles percentiles(std::vector<double> values);

// What a run came to, as JSON; times in milliseconds. docs: bench/README.md.
boost::json::object figures(const LoadRecord& record);

// The same for people.
std::string to_text(const boost::json::object& figures);

// Unexpected ends: errors that no behaviour of the client explains, but for "try again later".
std::uint64_t failures(const LoadRecord& record);

}  // namespace drystone

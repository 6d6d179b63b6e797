#pragma once

#include <boost/json/array.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace drystone {

// For people: by id, the links of each of these nodes (names by id) to the others, every pair of
// interfaces that was measured, from values of the shared state at link/FROM/TO. What is not well
// formed, or to none of the nodes, is left out. Fields: docs/formats/cluster.md.
std::map<std::string, boost::json::array> shown_links(
    const std::vector<std::pair<std::string, std::string>>& values,
    const std::map<std::string, std::string>& names);

}  // namespace drystone

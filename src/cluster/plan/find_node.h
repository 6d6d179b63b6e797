#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace drystone {

// "atlas (abcd1234)": the name with the beginning of the id, where others have the name too.
std::string name_with_id(const std::string& name, const std::string& id);

// The id of one of these nodes (names by id) by what a person says: its id, its name, both as
// name_with_id writes them, or the beginning of its id (4 letters or more).
// Errors: not_found, invalid_argument (several are called so; names them)
Result<std::string> find_node(const std::map<std::string, std::string>& names,
                              const std::string& said);

}  // namespace drystone

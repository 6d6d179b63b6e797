#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "base/result.h"
#include "cluster/plan/placement.h"

namespace drystone {

constexpr std::size_t kPartErrorMax = 2048;  // bytes; longer texts are cut

enum class PartPhase {
  loading,
  ready,
  failed,  // could not be loaded; nothing is held
  lost,    // it is not there any more, or never came to be, for another part's sake or by a break:
           // the process started afresh, its engine broke, its links ended
};
std::string_view to_string(PartPhase phase);

// How one node's part of an instance fares. Stands in the map at part/INSTANCE/NODE.
struct PartState {
  Epoch epoch;
  PartPhase phase = PartPhase::loading;
  std::uint64_t boot = 0;  // of the process that says so
  double progress = 0;     // [0, 1], of loading
  std::string error;       // of failed and lost
  bool operator==(const PartState&) const = default;
};

boost::json::object to_json(const PartState& state);
// Errors: corrupt.
Result<PartState> part_state_from_json(const boost::json::value& value);

}  // namespace drystone

#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace drystone {

constexpr std::size_t kLoadErrorMax = 2048;  // bytes; longer texts are cut

// What came of the newest wish for an instance. Its keeper writes it to the map at loads/INSTANCE:
// unlike the rest of what a keeper remembers it outlives it, so that what cannot be loaded is not
// tried again at every start of the machines.
struct LoadRecord {
  // A wish that was never ready and failed as often is given up, until somebody asks again.
  static constexpr std::uint32_t kTriesMax = 8;

  std::uint64_t asked = 0;     // DesiredInstance::asked of the wish that has been answered
  bool was_ready = false;      // all its parts were there once: it is never given up
  std::uint32_t failures = 0;  // of placements before that
  std::string error;           // of the last one, with the node's name
  bool gave_up() const { return !was_ready && failures >= kTriesMax; }
  bool operator==(const LoadRecord&) const = default;
};

boost::json::object to_json(const LoadRecord& record);
// Errors: corrupt.
Result<LoadRecord> load_record_from_json(const boost::json::value& value);

}  // namespace drystone

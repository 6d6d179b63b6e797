#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/plan/placement.h"

namespace drystone {

// What frames between the parts of an instance are (docs/formats/peer.md). The values are those on
// the wire.
enum class PeerFrame : std::uint16_t {
  hello = 1,    // the first of a stream: which one it is
  keep = 2,     // the sender lives
  ready = 3,    // the sender has loaded, and so have all parts behind it
  step = 4,     // a step on its way through the stages
  rows = 5,     // what the last stage gives back of it
  logits = 6,   // a rank's slice of the logits
  partial = 7,  // a rank's part of a sum
};

// What a stream between two parts carries.
enum class StreamRole : std::uint8_t {
  steps = 1,   // steps to a stage; readiness, and logits of a rank of the first stage, back
  rows = 2,    // from the last stage to the first
  reduce = 3,  // sums between two ranks of a stage
};

// Which of the streams of an instance a new connection is: its dialler says so in its first frame.
struct StreamName {
  std::string instance;
  Epoch epoch;
  std::uint32_t from = 0, to = 0;  // indices of Placement::parts; `from` dials
  StreamRole role = StreamRole::steps;
  auto operator<=>(const StreamName&) const = default;
};

constexpr std::uint32_t kHelloBytesMax = 1024;

std::string to_string(const StreamName& name);  // for messages
std::vector<std::byte> encode(const StreamName& name);
// The payload of a hello. Errors: corrupt.
Result<StreamName> parse_stream_name(std::span<const std::byte> payload);

}  // namespace drystone

#pragma once

#include <chrono>
#include <cstdint>

#include "base/units.h"

namespace drystone {

// What is said on a connection that measures a link (docs/formats/probe.md). Frames but for the
// bytes that are measured, which stand between them as they are.
enum class ProbeFrame : std::uint16_t {
  hello = 1,     // tag: kProbeVersion
  ready = 2,     // go on
  busy = 3,      // another probe runs there; the connection ends
  ping = 4,      // any tag
  pong = 5,      // the same tag
  exchange = 6,  // tag: rounds; then both write and read kExchangeBytes at once, so many times
  send = 7,      // tag: bytes, which follow
  took = 8,      // tag: nanoseconds from the first of them to the last
  receive = 9,   // tag: bytes, which come back
  version = 10,  // another version is spoken there, the tag; the connection ends
};

constexpr std::uint64_t kProbeVersion = 1;
constexpr std::uint64_t kExchangeRoundsMax = 64;
constexpr std::size_t kExchangeBytes = 256;
constexpr Bytes kProbeBytesMin = 256 * kKiB, kProbeBytesMax = 64 * kMiB;  // of one send or receive
constexpr Bytes kProbeSessionBytesMax = 512 * kMiB;                       // of all of them
constexpr std::uint32_t kProbeFramesMax = 1024;                           // of a session
constexpr std::chrono::seconds kProbeWait{10};                            // for anything

}  // namespace drystone

#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "net/data_stream.h"
#include "serve/peer/probe/probe_gate.h"

namespace drystone {

// What was measured of a connection, seen from who measured.
struct ProbeFigures {
  double round_trip_s = 0;                   // of a small message, median
  double exchange_s = 0;                     // both send a small message and have the other's
  double bandwidth = 0, bandwidth_back = 0;  // bytes/s to the peer, and from it
};

// Measures on a fresh connection to answer_probe(); about half a second, most of it full of
// traffic. As a model would use it: waits spin. Errors: limit (the peer is measuring another
// one: try again), those of the stream, corrupt.
Result<ProbeFigures> probe_link(DataStream& stream, const Clock& clock);

// The other side; returns when the peer is done. Bounded in bytes, frames and waits. While the gate
// is taken it says so instead. Errors: those of the stream, corrupt (a frame that has no place).
Result<void> answer_probe(DataStream& stream, const Clock& clock, ProbeGate& gate);

}  // namespace drystone

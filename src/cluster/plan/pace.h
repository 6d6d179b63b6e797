#pragma once

#include <cstdint>
#include <vector>

#include "cluster/plan/cost_model.h"
#include "cluster/plan/division.h"
#include "cluster/plan/plan_input.h"

namespace drystone {

// Speeds of a division, from assumed figures: to compare placements by. The formulas are those of
// cost_model.h.

// The output matrix over `rows` generated rows at the ranks of the first stage, and the logits of
// the others on their way to the head.
double head_s(const PlanInput& input, const std::vector<std::uint32_t>& first_stage,
              const std::vector<Share>& shares, const std::vector<SiteTimes>& times,
              std::uint32_t rows);

// The times of a step: stages with their reductions, fixed times, and at the head the output matrix
// over the generated rows; hops between stages, and the way back of the generated rows.
Pipeline pipeline_of(const PlanInput& input, const Division& division, const StepRows& rows);

// Sums up to that are faster exchanged whole than in shares, on every stage of several ranks.
Bytes one_shot_bytes(const PlanInput& input, const Division& division);

// Tokens per second of one answer.
double one_stream_tok_s(const PlanInput& input, const Division& division);

// Tokens per second of `streams` answers together, and the number of lanes that gives it.
struct ManyStreams {
  double tok_s = 0;
  std::uint32_t lanes = 1;
};
ManyStreams many_streams(const PlanInput& input, const Division& division, std::uint32_t streams);

// As engine/step_pipe.h says; app/node/instances/part_runner.cpp, which knows both, checks it.
constexpr std::uint32_t kPlannedPiecesOfALane = 8, kPlannedPieceRowsMin = 128;

// Tokens per second of reading a prompt up to the first token of the answer, and the rows of the
// chunks that it is cut into.
struct Prefill {
  double tok_s = 0;
  std::uint32_t chunk_rows = 1;
};
Prefill prefill(const PlanInput& input, const Division& division);

}  // namespace drystone

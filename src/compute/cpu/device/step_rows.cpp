#include "compute/cpu/device/step_rows.h"

#include <fmt/format.h>

#include <utility>

namespace drystone {

StepRows::StepRows(std::uint32_t rows_max) {
  positions.reserve(rows_max);
  segment_of.reserve(rows_max);
  first_row.reserve(rows_max);
  logit_rows.reserve(rows_max);
  hidden_rows.reserve(rows_max);
  wanted_rows.reserve(rows_max);
}

void StepRows::want(std::uint32_t row, RowOutput output) {
  const bool logits = output == RowOutput::last_logits || output == RowOutput::all_logits;
  (logits ? logit_rows : hidden_rows).push_back(row);
  wanted_rows.push_back(row);
}

Result<void> StepRows::assign(std::span<const Segment> segments, std::uint32_t rows_max,
                              std::uint32_t logit_rows_max) {
  rows = generated = generated_logit_rows = generated_wanted_rows = 0;
  positions.clear();
  segment_of.clear();
  first_row.clear();
  logit_rows.clear();
  hidden_rows.clear();
  wanted_rows.clear();
  std::uint64_t total = 0;
  for (const Segment& segment : segments) total += segment.rows;
  if (total > rows_max)
    return Error(Errc::limit, fmt::format("a step of {} rows, at most {} fit", total, rows_max));
  const std::uint32_t logits = drystone::logit_rows(segments);
  if (logits > logit_rows_max)
    return Error(Errc::limit, fmt::format("a step with logits for {} rows, at most {} fit", logits,
                                          logit_rows_max));

  for (std::uint32_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = segments[s];
    const bool all =
        segment.output == RowOutput::all_logits || segment.output == RowOutput::all_hidden;
    CHECK(segment.rows > 0, s);
    CHECK(segment.kind == RowKind::prompt || generated == rows,
          "generated rows stand before prompt rows", s);
    first_row.push_back(rows);
    for (std::uint32_t i = 0; i < segment.rows; ++i) {
      positions.push_back(segment.position + i);
      segment_of.push_back(s);
      if (segment.output != RowOutput::none && (all || i + 1 == segment.rows))
        want(rows + i, segment.output);
    }
    rows += segment.rows;
    if (segment.kind == RowKind::generated) {
      generated = rows;
      generated_logit_rows = static_cast<std::uint32_t>(logit_rows.size());
      generated_wanted_rows = static_cast<std::uint32_t>(wanted_rows.size());
    }
  }
  return {};
}

void StepRows::keep_wanted_rows() {
  auto logit = logit_rows.begin();
  auto hidden = hidden_rows.begin();
  for (std::uint32_t to = 0; to < wanted_rows.size(); ++to) {
    const std::uint32_t from = std::exchange(wanted_rows[to], to);
    if (logit != logit_rows.end() && *logit == from)
      *logit++ = to;
    else
      *hidden++ = to;
  }
  rows = static_cast<std::uint32_t>(wanted_rows.size());
  generated = generated_wanted_rows;
}

}  // namespace drystone

#include "compute/cpu/device/step_rows.h"

#include <fmt/format.h>

#include <numeric>

#include "compute/cpu/device/kv_cache.h"

namespace drystone {

StepRows::StepRows(std::uint32_t rows_max) {
  positions.reserve(rows_max);
  segment_of.reserve(rows_max);
  first_row.reserve(rows_max);
  logit_rows.reserve(rows_max);
}

Result<void> StepRows::assign(std::span<const Segment> segments, std::uint32_t rows_max,
                              std::uint32_t logit_rows_max) {
  rows = generated = generated_logit_rows = 0;
  positions.clear();
  segment_of.clear();
  first_row.clear();
  logit_rows.clear();
  std::uint64_t total = 0, logits = 0;
  for (const Segment& segment : segments) {
    total += segment.rows;
    logits += segment.no_logits ? 0 : segment.all_logits ? segment.rows : 1;
  }
  if (total > rows_max)
    return Error(Errc::limit, fmt::format("a step of {} rows, at most {} fit", total, rows_max));
  if (logits > logit_rows_max)
    return Error(Errc::limit, fmt::format("a step with logits for {} rows, at most {} fit", logits,
                                          logit_rows_max));

  for (std::uint32_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = segments[s];
    CHECK(segment.rows > 0, s);
    CHECK(std::uint64_t{segment.pages.size()} * kKvPageTokens >=
              std::uint64_t{segment.position} + segment.rows,
          segment.pages.size(), segment.position, segment.rows);
    CHECK(segment.kind == RowKind::prompt || generated == rows,
          "generated rows stand before prompt rows", s);
    first_row.push_back(rows);
    for (std::uint32_t i = 0; i < segment.rows; ++i) {
      positions.push_back(segment.position + i);
      segment_of.push_back(s);
      if (!segment.no_logits && (segment.all_logits || i + 1 == segment.rows))
        logit_rows.push_back(rows + i);
    }
    rows += segment.rows;
    if (segment.kind == RowKind::generated) {
      generated = rows;
      generated_logit_rows = static_cast<std::uint32_t>(logit_rows.size());
    }
  }
  return {};
}

void StepRows::keep_logit_rows() {
  rows = static_cast<std::uint32_t>(logit_rows.size());
  generated = generated_logit_rows;
  std::iota(logit_rows.begin(), logit_rows.end(), 0u);
}

}  // namespace drystone

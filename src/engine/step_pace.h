#pragma once

#include <cstdint>

namespace drystone {

// How much of the prompts a step may read beside requests that write, so that nobody's text comes
// much more slowly because somebody else's prompt is long. Learns from the time that steps take.
class StepPace {
 public:
  // `stall`: how many times as long as without prompts a step of writing requests may take (more
  // where more requests read than write); 0: no bound.
  explicit StepPace(double stall) : stall_(stall) {}

  // What a step with so many writing requests may take longer for prompts, in seconds; infinite
  // when nobody minds.
  double time_for(std::size_t readers, std::uint32_t writing) const;
  // Whether a step of so many writing requests has to be measured alone first: so far there were
  // fewer, or none. (Their texts grow while a long prompt is read; what they waited before it came
  // stays the measure.)
  bool wants_measure(std::uint32_t writing) const;
  // Prompt rows that take `left_s`, at most `room`; at least two. What is left of a row is given to
  // the next step: late in a long prompt a step has two or three.
  std::uint32_t rows_in(double left_s, std::uint32_t room);
  double prompt_row_s() const { return prompt_row_s_; }  // 0: not known yet

  // A step of `rows` rows, `prompt_rows` of them of prompts, took so long.
  void measure(double step_s, std::uint32_t rows, std::uint32_t prompt_rows);

 private:
  const double stall_;
  double writing_step_s_ = 0, prompt_row_s_ = 0;  // 0: not yet
  std::uint32_t writing_rows_ = 0;                // of the newest step without prompts
  double carry_ = 0;                              // of a row
};

}  // namespace drystone

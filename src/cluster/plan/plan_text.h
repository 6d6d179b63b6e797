#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/plan/evaluation.h"
#include "cluster/plan/plan_input.h"
#include "cluster/plan/planner.h"

namespace drystone {

// What people read of a plan.

std::string format_seconds(double seconds);  // "16 ms", "120 us", "1.5 s"
std::string format_per_second(
    double per_second);  // "21 GB/s": decimal, as cables and memory are sold
// What the objective asks for; nullopt: not known.
std::optional<double> speed_for(const Estimate& estimate, Objective objective,
                                std::uint32_t streams);
std::string format_speed(double tok_s);  // "42 tok/s", "3.9 tok/s"

// "atlas alone", "2 stages: atlas (head) layers 0..12, nova 12..22",
// "2 shards: atlas (head) 5 of 8 KV heads, nova 3".
std::string summarize(const PlanInput& input, const Evaluation& evaluation);
// Of what cannot be: "2 stages: atlas, nova".
std::string summarize(const PlanInput& input, const Shape& shape);
// "needs 41.2 GiB, free 36.5 GiB (atlas 20.1 GiB, nova 16.4 GiB)".
std::string explain(const PlanInput& input, const Misfit& misfit);

// The estimate with its terms, from the figures as published. Its numbers are those of the
// evaluation where everything that they rest on is known.
Estimate explain(const PlanInput& input, const Evaluation& evaluation);

// Of a stage of shards: how long a reduction takes, and below which time shards shorten the wait.
// "" for other shapes.
std::string explain_reduction(const PlanInput& input, const Evaluation& evaluation);

}  // namespace drystone

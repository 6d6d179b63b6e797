#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "cluster/plan/division.h"
#include "cluster/plan/plan_input.h"
#include "cluster/plan/shape.h"

namespace drystone {

// A division with what it needs and how fast it is, from assumed figures.
struct Evaluation {
  Division division;
  std::vector<PlacedPart> parts;
  double one_stream_tok_s = 0, prefill_tok_s = 0, many_streams_tok_s = 0;
  bool known = false;  // every figure that its speeds rest on has been measured

  // What the request is to be good at.
  double score(Objective objective) const;
};

// The bytes of the parts of `each` that are taken from `memory`.
Bytes taken_from(const SharedMemory& memory, const Evaluation& each);

// Why a shape cannot be: more than there is, or less, but not to be divided.
struct Misfit {
  Shape shape;
  Bytes needed = 0, available = 0;  // of all its nodes together
  Bytes beside_weights = 0;         // of `needed`: KV cache and working memory
  Bytes missing() const { return needed > available ? needed - available : 0; }
};

std::variant<Evaluation, Misfit> evaluate(const PlanInput& input, const Shape& shape);

}  // namespace drystone

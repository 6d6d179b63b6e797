#include "cluster/plan/evaluation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cluster/plan/pace.h"

namespace drystone {
namespace {

using Group = std::vector<std::uint32_t>;

Misfit needs(const PlanInput& input, const Shape& shape) {
  const ModelFigures& model = input.model();
  Misfit misfit{.shape = shape};
  misfit.needed = model.weights_bytes();
  for (const LayerFigures& layer : model.layers) misfit.needed += input.kv_bytes_of(layer);
  for (const Group& group : shape.stages)
    for (const std::uint32_t site : group) {
      misfit.available += input.sites()[site].available;
      misfit.needed += model.working.fixed +
                       input.request().rows_max *
                           (model.working.row_whole + model.working.row_divided / group.size());
    }
  misfit.needed += input.logit_rows() * model.working.logit_row;
  for (const SharedMemory& memory : input.shared_memories()) {
    Bytes counted = 0;  // once for each of its nodes
    for (const Group& group : shape.stages)
      for (const std::uint32_t site : group)
        if (memory.is_of(site)) counted += input.sites()[site].available;
    misfit.available -= counted - std::min(counted, memory.available);
  }
  misfit.beside_weights = misfit.needed - model.weights_bytes();
  return misfit;
}

std::vector<Bytes> available_to(const PlanInput& input) {
  std::vector<Bytes> room;
  for (const Site& site : input.sites()) room.push_back(site.available);
  return room;
}

// Without speeds. nullopt: the rooms do not hold it.
std::optional<Evaluation> divided(const PlanInput& input, const Shape& shape,
                                  const std::vector<Bytes>& room) {
  auto division = divide(input, shape, room);
  if (!division) return std::nullopt;
  Evaluation evaluation{.division = *std::move(division)};
  evaluation.parts = parts_of(input, evaluation.division);
  for (const PlacedPart& part : evaluation.parts)
    if (part.bytes.total() > room[shape.stages[part.stage][part.rank]]) return std::nullopt;
  return evaluation;
}

// Where nodes of one machine would take more than its memory has: less for each of them in
// proportion, so that others take the rest. False: they do not.
bool narrow(const PlanInput& input, const Evaluation& evaluation, std::vector<Bytes>& room) {
  bool narrower = false;
  for (const SharedMemory& memory : input.shared_memories()) {
    const Bytes taken = taken_from(memory, evaluation);
    if (taken <= memory.available) continue;
    narrower = true;
    const double part = static_cast<double>(memory.available) / static_cast<double>(taken);
    for (const PlacedPart& each : evaluation.parts) {
      const std::uint32_t site = evaluation.division.shape.stages[each.stage][each.rank];
      if (memory.is_of(site))
        room[site] = static_cast<Bytes>(static_cast<double>(each.bytes.total()) * part);
    }
  }
  return narrower;
}

void pace(const PlanInput& input, Evaluation& evaluation) {
  evaluation.one_stream_tok_s = one_stream_tok_s(input, evaluation.division);
  evaluation.many_streams_tok_s =
      many_streams(input, evaluation.division, input.request().streams).tok_s;
  evaluation.prefill_tok_s = prefill(input, evaluation.division).tok_s;
}

Evaluation with_rows(const PlanInput& input, Evaluation evaluation, RowFormat format) {
  evaluation.division.row_format = format;
  pace(input, evaluation);
  return evaluation;
}

// Rounded rows cost the promise that a split model writes the text of a whole one: only where
// that buys a good deal, and the smallest ones only where they buy it once more.
void choose_row_format(const PlanInput& input, Evaluation& evaluation) {
  if (evaluation.division.shape.stages.size() < 2) return;
  if (const auto asked = input.request().row_format) {
    evaluation = with_rows(input, std::move(evaluation), *asked);
    return;
  }
  const auto pays = [](const Evaluation& with, const Evaluation& without) {
    constexpr double kWorth = 1.15;
    return with.one_stream_tok_s > kWorth * without.one_stream_tok_s ||
           with.many_streams_tok_s > kWorth * without.many_streams_tok_s ||
           with.prefill_tok_s > kWorth * without.prefill_tok_s;
  };
  // Where the smallest ones do not pay, nothing does.
  Evaluation q8 = with_rows(input, evaluation, RowFormat::q8);
  if (!pays(q8, evaluation)) return;
  Evaluation f16 = with_rows(input, evaluation, RowFormat::f16);
  if (pays(f16, evaluation)) evaluation = std::move(f16);
  if (pays(q8, evaluation)) evaluation = std::move(q8);
}

}  // namespace

double Evaluation::score(Objective objective) const {
  switch (objective) {
    case Objective::prompt:
      return prefill_tok_s;
    case Objective::many_streams:
      return many_streams_tok_s;
    case Objective::automatic:
    case Objective::one_stream:
      return one_stream_tok_s;
  }
  CHECK(false, static_cast<int>(objective));
}

Bytes taken_from(const SharedMemory& memory, const Evaluation& each) {
  Bytes taken = 0;
  for (const PlacedPart& part : each.parts)
    if (memory.is_of(each.division.shape.stages[part.stage][part.rank]))
      taken += part.bytes.total();
  return taken;
}

std::variant<Evaluation, Misfit> evaluate(const PlanInput& input, const Shape& shape) {
  const Misfit misfit = needs(input, shape);
  if (misfit.missing() > 0) return misfit;
  // What leaves one machine may be too much for the next one, each of which is narrowed once.
  std::vector<Bytes> room = available_to(input);
  auto evaluation = divided(input, shape, room);
  while (evaluation && narrow(input, *evaluation, room)) evaluation = divided(input, shape, room);
  if (!evaluation) return misfit;
  pace(input, *evaluation);
  choose_row_format(input, *evaluation);
  return *std::move(evaluation);
}

}  // namespace drystone

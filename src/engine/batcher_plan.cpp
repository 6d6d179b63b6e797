#include <algorithm>

#include "engine/batcher.h"

// What a step holds.

namespace drystone {
namespace {

// Of a step of readers alone that bring pages back from the tier: others may want to join.
constexpr double kRestoreMaxS = 0.25;

}  // namespace

void Batcher::plan() {
  const std::uint32_t writing = plan_writers();
  guess(writing);
  std::uint32_t rows = 0;
  for (const Step::Part& part : planned_.parts) rows += part.rows;
  std::vector<RunningRequest*> readers;
  for (const auto& request : running_)
    if (!request->unplanned().empty() && !request->writing()) readers.push_back(request.get());
  std::ranges::stable_sort(readers, {}, &RunningRequest::priority);
  // An index can wait: only those who will write make a crowd.
  const auto crowd = std::ranges::count_if(readers, [](const auto* one) { return !one->pool(); });
  const double time_s = step_pace_.time_for(static_cast<std::size_t>(crowd), writing);
  const double spent_s = take_over(readers, time_s);
  CHECK(rows > 0 || !readers.empty() || spent_s >= kRestoreMaxS || !on_the_way_.empty() ||
            running_.empty(),
        spent_s);
  std::uint32_t budget =
      step_pace_.wants_measure(writing)
          ? 0
          : step_pace_.rows_in(time_s - spent_s, options_.batch_tokens_max - rows);
  for (RunningRequest* reader : readers) {
    if (budget == 0) break;
    if (plan_rows(*reader, budget)) budget -= planned_.parts.back().rows;
  }
  // The stage wants generated rows first.
  std::ranges::stable_partition(planned_.parts, [](const Step::Part& part) {
    return part.request->unplanned().front().kind == RowKind::generated;
  });
}

// A row of each request that writes and is not on its way; where there are several lanes, of its
// share of them. Returns how many.
std::uint32_t Batcher::plan_writers() {
  // reserve() may take any request out: look again from the start then.
  for (bool again = true; again;) {
    again = false;
    planned_.parts.clear();
    const auto writers = static_cast<std::size_t>(
        std::ranges::count_if(running_, [](const auto& request) { return request->writing(); }));
    const std::size_t share = (writers + pipe_.lanes() - 1) / pipe_.lanes();
    for (const auto& request : running_) {
      if (planned_.parts.size() == share) break;
      if (!request->writing() || request->on_the_way()) continue;
      const std::size_t before = running_.size();
      const bool kept = reserve(*request, static_cast<std::uint32_t>(request->tokens().size()));
      if (again = !kept || running_.size() != before; again) break;
      planned_.parts.push_back({request.get(), 1, RowOutput::last_logits});
    }
  }
  return static_cast<std::uint32_t>(planned_.parts.size());
}

// Few rows cost little more than one, since the weights are read once: so guesses are for a machine
// that few requests use.
void Batcher::guess(std::uint32_t writing) {
  if (writing == 0 || writing >= options_.draft_rows_max) return;
  const std::uint32_t each = (options_.draft_rows_max - writing) / writing;
  for (Step::Part& part : planned_.parts) {
    RunningRequest& request = *part.request;
    request.guess(each);
    const auto rows = static_cast<std::uint32_t>(1 + request.guessed().size());
    // Nobody gives up pages for a guess.
    if (rows == 1 || !request.sequence().reserve(request.sequence().size() + rows)) {
      request.forget_guess();
      continue;
    }
    part.rows = rows;
    part.output = RowOutput::all_logits;
  }
}

// What is known need not be computed: what other requests have computed meanwhile, and what the
// tier holds. Who could have more of the tier than there is time for goes on in the next step, and
// is taken out of `readers`. Returns the time that it took.
double Batcher::take_over(std::vector<RunningRequest*>& readers, double until_s) {
  until_s = std::min(until_s, kRestoreMaxS);
  double spent_s = 0;
  std::erase_if(readers,
                [&](RunningRequest* reader) { return !take_over(*reader, until_s, spent_s); });
  return spent_s;
}

// False: there is more, but no time. One page is always in time.
bool Batcher::take_over(RunningRequest& reader, double until_s, double& spent_s) {
  if (reader.needs_all_rows() || reader.on_the_way()) return true;
  Sequence& sequence = reader.sequence();
  while (true) {
    count_cached(reader, sequence.reuse(reader.tokens()));
    if (!sequence.is_stored(reader.tokens()) ||
        !restore_pace_.worth(step_pace_.prompt_row_s() * pool_.page_tokens()))
      return true;
    if (spent_s > 0 && spent_s >= until_s) return false;
    const auto start = clock_.monotonic();
    count_cached(reader, sequence.restore(reader.tokens()));
    const double took_s = seconds(clock_.monotonic() - start);
    restore_pace_.took(took_s);
    spent_s += took_s;
  }
}

bool Batcher::plan_rows(RunningRequest& request, std::uint32_t budget) {
  // What another computes in this very step, or in one on its way, can be had when that has ended.
  if (shares_with_started(request)) return false;
  const auto left = static_cast<std::uint32_t>(request.unplanned().size());
  std::uint32_t rows = std::min(request.rows_of_next_kind(), budget);
  // Each stage works on another piece of the prompt: the first one reaches the last stage soon.
  if (const std::uint32_t lanes = pipe_.lanes(); lanes > 1)
    rows = std::min(rows, std::max(kPieceRowsMin, left / (kPiecesOfALane * lanes)));
  // Held since its admission, but for what is left of a preempted request's last page.
  CHECK(request.sequence().reserve(request.planned_size() + rows), rows);
  planned_.parts.push_back({&request, rows, request.output_of(rows)});
  return true;
}

bool Batcher::shares_with_started(const RunningRequest& request) const {
  if (request.needs_all_rows() || request.on_the_way()) return false;
  const std::uint32_t at = request.sequence().size(), page = pool_.page_tokens();
  if (at % page != 0 || request.rest().size() <= page) return false;
  const auto shares = [&](const Step& step) {
    return std::ranges::any_of(step.parts, [&](const Step::Part& part) {
      const RunningRequest& other = *part.request;
      const auto tokens = other.tokens();
      if (other.sequence().salt() != request.sequence().salt() || other.sequence().size() != at ||
          part.rows < page || tokens.size() < std::size_t{at} + page)
        return false;
      return std::ranges::equal(tokens.first(at + page), request.tokens().first(at + page), {},
                                &SequenceToken::id, &SequenceToken::id);
    });
  };
  return shares(planned_) || std::ranges::any_of(on_the_way_, shares);
}

}  // namespace drystone

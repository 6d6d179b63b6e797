#include "app/node/instances/figures_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drystone {

std::string names_of(const std::vector<Unmeasured>& missing) {
  constexpr std::size_t kNamed = 5;
  std::string names;
  for (std::size_t i = 0; i < std::min(missing.size(), kNamed); ++i)
    names += (i > 0 ? ", " : "") + missing[i].what;
  if (missing.size() > kNamed) names += fmt::format(" and {} more", missing.size() - kNamed);
  return names;
}

std::optional<FiguresWait::Outcome> FiguresWait::look(Turn& turn, const std::string& who,
                                                      Clock::Nanoseconds now,
                                                      Result<std::vector<Unmeasured>> missing) {
  if (!turn.start) turn.start = now;
  const auto waited = now - *turn.start;
  const bool is_over = !missing || !is_worth_it(*missing);
  if (is_over || waited >= limit(*missing)) {
    Outcome outcome;
    if (missing) outcome.missing = *std::move(missing);
    if (turn.first.empty()) return outcome;
    if (!is_over) give_up(outcome.missing);
    outcome.waited = fmt::format("waited {:.1f} s for figures of {}{}", seconds(waited), turn.first,
                                 is_over && outcome.missing.empty() ? "" : ": planned without");
    return outcome;
  }
  if (turn.first.empty()) {
    turn.first = names_of(*missing);
    say_(fmt::format("{} waits for figures of {}, {} ms at most", who, turn.first,
                     limit(*missing).count()));
  }
  return std::nullopt;
}

bool FiguresWait::is_worth_it(const std::vector<Unmeasured>& missing) {
  const std::lock_guard lock(mutex_);
  const auto is_called = [](const std::string& what) {
    return [&what](const Unmeasured& one) { return one.what == what; };
  };
  // What has come once may be waited for again.
  std::erase_if(given_up_, [&](const std::string& what) {
    return std::ranges::none_of(missing, is_called(what));
  });
  return std::ranges::any_of(missing, [&](const Unmeasured& one) {
    return one.is_on_its_way || !given_up_.contains(one.what);
  });
}

std::chrono::milliseconds FiguresWait::limit(const std::vector<Unmeasured>& missing) const {
  return std::ranges::any_of(missing, &Unmeasured::is_on_its_way) ? limits_.on_its_way
                                                                  : limits_.within;
}

void FiguresWait::give_up(const std::vector<Unmeasured>& missing) {
  const std::lock_guard lock(mutex_);
  for (const Unmeasured& one : missing) given_up_.insert(one.what);
}

}  // namespace drystone

#include "app/node/instances/figures_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace drystone {

std::string names_of(const std::vector<Unmeasured>& missing) {
  constexpr std::size_t kNamed = 5;
  std::string names;
  for (std::size_t i = 0; i < std::min(missing.size(), kNamed); ++i)
    names += (i > 0 ? ", " : "") + missing[i].what;
  if (missing.size() > kNamed) names += fmt::format(" and {} more", missing.size() - kNamed);
  return names;
}

FiguresWait::Outcome FiguresWait::wait(
    const Clock& clock, const std::string& who,
    const std::function<Result<std::vector<Unmeasured>>()>& look) {
  const auto start = clock.monotonic();
  std::string first;
  while (true) {
    auto missing = look();
    const auto waited = clock.monotonic() - start;
    const bool is_over = !missing || !is_worth_it(*missing);
    if (is_over || waited >= within_) {
      Outcome outcome;
      if (missing) outcome.missing = *std::move(missing);
      if (first.empty()) return outcome;
      if (!is_over) give_up(outcome.missing);
      outcome.waited = fmt::format("waited {:.1f} s for figures of {}{}", seconds(waited), first,
                                   is_over && outcome.missing.empty() ? "" : ": planned without");
      return outcome;
    }
    if (first.empty()) {
      first = names_of(*missing);
      say_(fmt::format("{} waits for figures of {}, {} ms at most", who, first, within_.count()));
    }
    std::this_thread::sleep_for(kLookEvery);
  }
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

void FiguresWait::give_up(const std::vector<Unmeasured>& missing) {
  const std::lock_guard lock(mutex_);
  for (const Unmeasured& one : missing) given_up_.insert(one.what);
}

}  // namespace drystone

#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/node/instances/unmeasured.h"
#include "base/clock.h"
#include "base/result.h"

namespace drystone {

// "nova, the link atlas - nova and 3 more".
std::string names_of(const std::vector<Unmeasured>& missing);

// Has plans wait for figures that are still to come. It has no clock: those who wait look now and
// then. Thread-safe.
class FiguresWait {
 public:
  struct Limits {
    std::chrono::milliseconds within;
    std::chrono::milliseconds on_its_way;  // while something is: a node measures for seconds
  };
  FiguresWait(Limits limits, std::function<void(const std::string&)> say)
      : limits_(limits), say_(std::move(say)) {}

  struct Outcome {
    std::string waited;               // for which and what it has come to, a sentence; "": for none
    std::vector<Unmeasured> missing;  // still
  };
  // One wait, so far.
  struct Turn {
    std::optional<Clock::Nanoseconds> start;  // the first look
    std::string first;                        // what was missing then
  };
  // By what is missing now. nullopt: look again. It is over when nothing is missing that is worth
  // waiting for, when that cannot be told, or after the limit: what one wait went by without is
  // worth another one only where it is on its way.
  std::optional<Outcome> look(Turn& turn, const std::string& who, Clock::Nanoseconds now,
                              Result<std::vector<Unmeasured>> missing);

 private:
  bool is_worth_it(const std::vector<Unmeasured>& missing);
  void give_up(const std::vector<Unmeasured>& missing);

  std::chrono::milliseconds limit(const std::vector<Unmeasured>& missing) const;

  const Limits limits_;
  const std::function<void(const std::string&)> say_;
  std::mutex mutex_;
  std::set<std::string> given_up_;
};

}  // namespace drystone

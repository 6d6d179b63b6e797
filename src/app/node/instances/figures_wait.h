#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "app/node/instances/unmeasured.h"
#include "base/clock.h"
#include "base/result.h"

namespace drystone {

// "nova, the link atlas - nova and 3 more".
std::string names_of(const std::vector<Unmeasured>& missing);

// Has plans wait for figures that are still to come. Thread-safe.
class FiguresWait {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{100};

  FiguresWait(std::chrono::milliseconds within, std::function<void(const std::string&)> say)
      : within_(within), say_(std::move(say)) {}

  struct Outcome {
    std::string waited;               // for which and what it has come to, a sentence; "": for none
    std::vector<Unmeasured> missing;  // still
  };
  // Until `look` finds nothing that is worth waiting for, or fails, at most `within`: what one wait
  // went by without is worth another one only where it is on its way. Blocks.
  Outcome wait(const Clock& clock, const std::string& who,
               const std::function<Result<std::vector<Unmeasured>>()>& look);

 private:
  bool is_worth_it(const std::vector<Unmeasured>& missing);
  void give_up(const std::vector<Unmeasured>& missing);

  const std::chrono::milliseconds within_;
  const std::function<void(const std::string&)> say_;
  std::mutex mutex_;
  std::set<std::string> given_up_;
};

}  // namespace drystone

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drystone {

// Finds stop strings in streamed text. Text that may be the beginning of a stop string is held
// back.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // Takes the next piece; returns the text that can no longer become part of a stop string. Once
  // matched() it returns the text before the stop string, then nothing more.
  std::string push(std::string_view text);
  // What was held back, when the text ends without a stop string.
  std::string flush();
  bool matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace drystone

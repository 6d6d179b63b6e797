#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drystone {

// Finds stop strings in text that arrives in parts, and holds back only what may still become one.
// The result does not depend on where the parts are cut: the stop string that ends first counts, of
// several that end there the longest. Given valid UTF-8 it returns valid UTF-8.
class StopMatcher {
 public:
  explicit StopMatcher(const std::vector<std::string>& stops);  // empty ones are ignored

  // Text that is free to go. After a match: the text before it, then nothing any more.
  std::string push(std::string_view text);
  // At the end of generation: what was held back and became no stop string.
  std::string flush();

  bool matched() const { return matched_; }
  const std::string& stop() const { return stop_; }  // which one; "" before a match

 private:
  struct Stop {
    std::string text;
    std::vector<std::uint32_t>
        fallback;  // [i]: longest proper prefix that is also a suffix of the first i bytes
    std::uint32_t progress = 0;  // how many of its first bytes the text now ends with
  };
  static void advance(Stop& stop, char byte);
  std::string release(std::size_t keep);

  std::vector<Stop> stops_;
  std::string held_;
  bool matched_ = false;
  std::string stop_;
};

}  // namespace drystone

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace drystone {

// A bounded queue of ids, fair between clients: clients take turns, and each client's own requests
// keep their order. So ten requests of a batch job delay another client by one request, not by ten.
// Not thread-safe.
class FairQueue {
 public:
  explicit FairQueue(std::size_t size_max) : size_max_(size_max) {}

  bool push(const std::string& client, std::uint64_t id);  // false: full
  std::optional<std::uint64_t> front() const;              // what pop() would give
  std::optional<std::uint64_t> pop();
  bool erase(std::uint64_t id);  // false: not here
  // How many are popped before `id`, if nobody comes; nullopt: not here.
  std::optional<std::size_t> position(std::uint64_t id) const;
  std::size_t size() const { return size_; }

 private:
  struct Line {
    std::string client;
    std::deque<std::uint64_t> ids;  // never empty
  };
  std::size_t size_max_, size_ = 0;
  std::deque<Line> lines_;  // the front one is next
};

}  // namespace drystone

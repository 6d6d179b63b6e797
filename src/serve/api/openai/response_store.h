#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "serve/http/api_error.h"

namespace drystone {

// Finished responses, for `previous_response_id`: a bounded number of them and of bytes, in memory
// only; the one that was unused for longest goes first. Who knows an id, which is random, may use
// it. Thread-safe.
class ResponseStore {
 public:
  static constexpr std::size_t kResponsesMax = 512;
  static constexpr std::size_t kBytesMax = 64 << 20;
  static constexpr std::chrono::hours kAgeMax{24};

  explicit ResponseStore(const Clock& clock) : clock_(clock) {}

  struct Entry {
    boost::json::object response;
    boost::json::array history;  // chat messages, the answer included
  };
  // One that is too large by itself is not kept.
  void put(const std::string& id, Entry entry);

  // Errors: 404.
  ApiResult<boost::json::array> history(const std::string& id) const;
  ApiResult<boost::json::value> show(const std::string& id) const;
  ApiResult<boost::json::value> erase(const std::string& id);

 private:
  struct Kept {
    std::string id;
    Entry entry;
    std::size_t bytes;
    Clock::Nanoseconds since;
  };
  using Order = std::list<Kept>;  // used last first

  std::optional<Order::iterator> find(const std::string& id) const;
  void drop(Order::iterator kept) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  mutable Order order_;
  mutable std::map<std::string, Order::iterator> by_id_;
  mutable std::size_t bytes_ = 0;
};

}  // namespace drystone

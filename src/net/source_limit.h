#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <map>

#include "base/clock.h"

namespace drystone {

// How much each source may send: a bucket of `burst` that fills by `per_second`. Remembers at most
// `sources_max` sources; while so many are busy, strangers share one more bucket. Time is given.
// Not thread-safe.
class SourceLimit {
 public:
  struct Options {
    double per_second;
    double burst;
    std::size_t sources_max = 256;
  };
  explicit SourceLimit(Options options) : options_(options), others_{options.burst, {}} {}

  // Whether one more from `source` is within its measure; counts it if so. IPv6 sources count by
  // their /64, since a machine has as many addresses there as it likes.
  bool admit(const boost::asio::ip::address& source, Clock::Nanoseconds now);
  std::size_t sources() const { return buckets_.size(); }

 private:
  struct Bucket {
    double tokens;
    Clock::Nanoseconds at;
  };
  bool take(Bucket& bucket, Clock::Nanoseconds now) const;
  void forget_idle(Clock::Nanoseconds now);

  Options options_;
  std::map<boost::asio::ip::address, Bucket> buckets_;
  Bucket others_;
};

}  // namespace drystone

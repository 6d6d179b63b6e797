#include "net/source_limit.h"

#include <algorithm>
#include <iterator>

namespace drystone {
namespace ip = boost::asio::ip;

namespace {

// Who counts as one source.
ip::address source_of(const ip::address& address) {
  if (address.is_v4()) return address;
  auto bytes = address.to_v6().to_bytes();
  if (address.to_v6().is_link_local())
    return ip::address_v6(bytes);  // a machine has one for each interface
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return ip::address_v6(bytes);
}

}  // namespace

bool SourceLimit::take(Bucket& bucket, Clock::Nanoseconds now) const {
  bucket.tokens =
      std::min(options_.burst, bucket.tokens + seconds(now - bucket.at) * options_.per_second);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

// A bucket that is full again says no more than none.
void SourceLimit::forget_idle(Clock::Nanoseconds now) {
  std::erase_if(buckets_, [&](const auto& entry) {
    const Bucket& bucket = entry.second;
    return bucket.tokens + seconds(now - bucket.at) * options_.per_second >= options_.burst;
  });
}

bool SourceLimit::admit(const ip::address& address, Clock::Nanoseconds now) {
  const ip::address source = source_of(address);
  const auto known = buckets_.find(source);
  if (known != buckets_.end()) return take(known->second, now);
  if (buckets_.size() >= options_.sources_max) forget_idle(now);
  if (buckets_.size() >= options_.sources_max) return take(others_, now);
  Bucket fresh{.tokens = options_.burst, .at = now};
  return take(buckets_.emplace(source, fresh).first->second, now);
}

}  // namespace drystone

#include "serve/peer/split/tls_dialer.h"

#include "net/connect.h"

namespace drystone {

Result<std::unique_ptr<DataStream>> TlsDialer::dial(const std::string& node,
                                                    std::chrono::nanoseconds within,
                                                    const std::atomic<bool>& stop) {
  auto place = find_(node);
  if (!place) return Error(Errc::unavailable, "no address of " + node + " is known");
  return connect_data(tls_, clock_,
                      {.addresses = std::move(place->addresses),
                       .within = std::chrono::duration_cast<std::chrono::milliseconds>(within),
                       .policy = expect_key(place->key)},
                      stop);
}

}  // namespace drystone

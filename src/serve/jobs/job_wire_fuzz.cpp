// Messages of jobs as another node may send them. The first byte picks the kind; what is read must
// be written and read again as the same bytes (a request without its constraint, which is compiled
// elsewhere).
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "serve/jobs/job_wire.h"

namespace drystone {
namespace {

void check_order(std::span<const std::byte> message) {
  const auto order = decode_order(message);
  if (!order || order->constraint) return;
  const auto again = encode_order(order->instance, order->epoch, order->client, order->request);
  CHECK(decode_order(again).has_value());
}

template <typename Value>
void check_same(const Result<Value>& value, std::span<const std::byte> message) {
  if (!value) return;
  const auto again = encode(*value);
  CHECK(again.size() == message.size(), again.size(), message.size());
}

}  // namespace
}  // namespace drystone

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  if (size == 0) return 0;
  const auto message = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 5) {
    case 0:
      check_order(message);
      break;
    case 1:
      check_same(decode_delta(message), message);
      break;
    case 2:
      check_same(decode_result(message), message);
      break;
    case 3:
      check_same(decode_number(message), message);
      break;
    default:
      static_cast<void>(decode_failure(message));
  }
  return 0;
}

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "net/node_key.h"

namespace drystone {

// How long an operation may take in all, and how long of that it asks the socket again and again
// before it sleeps. Spinning saves a wake-up (some 10 to 50 us) and costs a processor: only while a
// model writes its answer, and only where this thread has a processor of its own.
struct StreamWait {
  std::chrono::nanoseconds within;
  std::chrono::nanoseconds spin = std::chrono::nanoseconds{0};
  // What else to do between two questions while it spins, for a few microseconds; borrowed.
  const std::function<void()>* meanwhile = nullptr;
};

struct StreamPeer {
  std::optional<PublicKey> key;  // none where nothing proves it (plain TCP, memory)
  std::string address;           // "10.0.0.7:8399", for messages
};

// A duplex stream of bytes between two nodes for threads: calls block. One thread may read while
// another writes. After an error other than of an argument the stream is of no more use: what was
// read or written last is unknown.
class DataStream {
 public:
  using Parts = std::span<const std::span<const std::byte>>;

  virtual ~DataStream() = default;

  // Writes all parts, one behind the other, as few packets as may be; they are read during the call
  // only. Returning says that the system took the bytes, not that they came.
  // Errors: unavailable (`within` is over), cancelled (close() was called), io (broken).
  virtual Result<void> write(Parts parts, StreamWait wait) = 0;

  // Fills `into`. Errors: closed (the peer said goodbye, and none of `into` is filled), unavailable
  // (`within` is over), cancelled (close() was called), io (broken, or ended in the midst),
  // corrupt.
  virtual Result<void> read(std::span<std::byte> into, StreamWait wait) = 0;

  // Writes all parts and fills `into`, both at once: two ends may do so with any sizes, where
  // write() and then read() would have both wait for room once the parts are larger than what the
  // system holds (some 100 KiB). For ranks that reduce. Counts as a read and as a write. Errors: of
  // both.
  virtual Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) = 0;

  // From any thread, more than once: says goodbye if the other side listens, and wakes who waits in
  // read() or write() with `cancelled`.
  virtual void close() = 0;

  virtual const StreamPeer& peer() const = 0;

  Result<void> write(std::span<const std::byte> bytes, StreamWait wait) {
    return write(Parts(&bytes, 1), wait);
  }
};

}  // namespace drystone

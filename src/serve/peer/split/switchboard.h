#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/data_stream.h"
#include "serve/peer/split/stream_name.h"

namespace drystone {

// Where data streams that peers open wait for the part that they are for. The placement reaches
// the nodes one after the other, so a stream may come before its part is known here. Thread-safe.
class Switchboard {
 public:
  static constexpr std::size_t kGreetingsMax = 128;  // streams whose first frame is being read
  static constexpr std::size_t kParkedMax = 512;
  static constexpr std::chrono::seconds kGreetingWithin{5}, kParkedFor{60};

  explicit Switchboard(const Clock& clock) : clock_(clock) {}  // borrows it
  ~Switchboard();  // close(); when no accept() runs any more

  // A stream that a peer opened. Blocks until it has said what it is, up to kGreetingWithin, so
  // call it on a thread of the stream's own. It is closed if it does not say so, or if there are
  // too many.
  void accept(std::unique_ptr<DataStream> stream);

  // The stream of this name, from that node (if the stream proves a key). Blocks until it is there,
  // then it is the caller's. Errors: unavailable (not within `within`), cancelled (`stop` is true,
  // or close()).
  Result<std::unique_ptr<DataStream>> take(const StreamName& name, const std::string& node,
                                           std::chrono::nanoseconds within,
                                           const std::atomic<bool>& stop);

  std::size_t parked() const;  // what nobody took within kParkedFor goes with the next call
  // Closes all streams; wakes who waits, in accept() as well. accept() closes what comes.
  void close();

 private:
  using Streams = std::vector<std::unique_ptr<DataStream>>;
  struct Parked {
    std::unique_ptr<DataStream> stream;
    Clock::Nanoseconds since;
  };
  // With the lock held. What goes is moved to `over`, to be destroyed without it: a stream says
  // goodbye, which may take a while.
  void drop_expired(Streams& over);
  bool park(const StreamName& name, std::unique_ptr<DataStream>& stream, Streams& over);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<DataStream*> greetings_;  // those whose accept() reads
  std::map<StreamName, Parked> parked_;
  bool closed_ = false;
};

// Makes data connections to nodes. Thread-safe.
class PeerDialer {
 public:
  virtual ~PeerDialer() = default;
  // A stream to the node of this id, which has proved its key. Blocks; gives up soon once `stop` is
  // true. Errors: unavailable (also: unknown node), cancelled.
  virtual Result<std::unique_ptr<DataStream>> dial(const std::string& node,
                                                   std::chrono::nanoseconds within,
                                                   const std::atomic<bool>& stop) = 0;
};

}  // namespace drystone

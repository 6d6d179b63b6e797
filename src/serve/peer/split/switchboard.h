#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

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
  ~Switchboard();                                              // close()

  // A stream that a peer opened; returns at once. It is closed if it does not say in time what it
  // is, or if there are too many.
  void accept(std::unique_ptr<DataStream> stream);

  // The stream of this name, from that node (if the stream proves a key). Blocks until it is there,
  // then it is the caller's. Errors: unavailable (not within `within`), cancelled (`stop` is true,
  // or close()).
  Result<std::unique_ptr<DataStream>> take(const StreamName& name, const std::string& node,
                                           std::chrono::nanoseconds within,
                                           const std::atomic<bool>& stop);

  std::size_t parked() const;  // what nobody took within kParkedFor goes with the next call
  // Closes all streams; wakes who waits. accept() closes what comes.
  void close();

 private:
  struct Greeting {
    std::unique_ptr<DataStream> stream;
    std::thread thread;
    bool done = false;
  };
  struct Parked {
    std::unique_ptr<DataStream> stream;
    Clock::Nanoseconds since;
  };
  void greet(Greeting& greeting);
  void reap();
  void drop_expired();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Greeting> greetings_;
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

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/data_stream.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// What a data connection between two nodes is for: its dialler says so in the first frame, an empty
// one whose tag this is (docs/formats/peer.md). The values are those on the wire.
enum class DataPurpose : std::uint64_t {
  part = 1,   // between the parts of a split model (Switchboard)
  jobs = 2,   // requests to the head of an instance (JobServer)
  probe = 3,  // measures the link
  files = 4,  // bytes of model files
};

// Takes the data connections that members open, finds out what each is for, and hands it to whoever
// serves that. Thread-safe.
class DataDoor {
 public:
  static constexpr std::size_t kStreamsMax = 256;  // at once; one more is closed
  static constexpr std::chrono::seconds kPurposeWithin{5};

  // Runs on a thread of its own for each stream, as long as it likes; the stream ends with it
  // unless it was moved on. close() of the door closes streams that still run.
  using Serve = std::function<void(std::unique_ptr<DataStream> stream)>;

  explicit DataDoor(const Clock& clock);  // borrows it
  virtual ~DataDoor();                    // close(), and waits for all threads

  void serve(DataPurpose purpose, Serve serve);     // before the first accept
  void accept(std::unique_ptr<DataStream> stream);  // returns at once
  void close();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// Dials and says what for.
Result<std::unique_ptr<DataStream>> dial_for(DataPurpose purpose, PeerDialer& dialer,
                                             const std::string& node,
                                             std::chrono::nanoseconds within,
                                             const std::atomic<bool>& stop);

}  // namespace drystone

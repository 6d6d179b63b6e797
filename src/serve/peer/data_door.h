#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

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

  // Runs on a thread of its own for each stream, as long as it likes. The stream may be kept for
  // longer. close() of the door closes all streams whose Serve still runs. What it throws ends its
  // stream and nothing else.
  using Serve = std::function<void(std::unique_ptr<DataStream> stream)>;

  DataDoor();
  ~DataDoor();  // close(), and waits for all threads
  DataDoor(const DataDoor&) = delete;
  DataDoor& operator=(const DataDoor&) = delete;

  // A purpose that nobody serves, or no longer (null): its streams are closed.
  void serve(DataPurpose purpose, Serve serve);
  void accept(std::unique_ptr<DataStream> stream);  // returns at once
  void close();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// The type of that first frame.
constexpr std::uint16_t kPurposeFrame = 0x4450;

// Dials and says what for. Errors: those of the dialer and of DataStream::write.
Result<std::unique_ptr<DataStream>> dial_for(DataPurpose purpose, PeerDialer& dialer,
                                             const std::string& node,
                                             std::chrono::nanoseconds within,
                                             const std::atomic<bool>& stop);

// Dials for one purpose alone. Borrows the dialer. Thread-safe.
class PurposeDialer final : public PeerDialer {
 public:
  PurposeDialer(DataPurpose purpose, PeerDialer& dialer) : purpose_(purpose), dialer_(dialer) {}
  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds within,
                                           const std::atomic<bool>& stop) override {
    return dial_for(purpose_, dialer_, node, within, stop);
  }

 private:
  const DataPurpose purpose_;
  PeerDialer& dialer_;
};

}  // namespace drystone

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "net/data_stream.h"
#include "serve/jobs/job_wire.h"

namespace drystone {

// How long the two ends of a job connection wait for each other.
struct JobWaits {
  // A side with nothing to say says so.
  std::chrono::milliseconds alive_every{1000};
  // Without a frame for so long the other side is lost: frozen, or its cable is cut.
  std::chrono::milliseconds silence_max{5000};
  // Until the other side has taken what was written.
  std::chrono::milliseconds write_max{5000};
  // Between two looks at the places of jobs that wait.
  std::chrono::milliseconds look_every{500};
};

// The writing half of a job connection, on a thread of its own: who sends never waits for the
// network. What waits to be written is bounded; the end of the stream closes it for both halves.
// Thread-safe.
class FrameSender {
 public:
  struct Options {
    std::size_t waiting_bytes_max;
    JobWaits waits;
    // Now and then, on the sender's thread; may be empty, and may call send().
    std::function<void()> look;
  };
  // Borrows `stream`, which another thread may read.
  FrameSender(DataStream& stream, Options options);
  ~FrameSender();  // what waits is not written any more; the stream is closed

  // False: the connection has ended, or ends now because the other side is too far behind.
  bool send(JobFrame type, std::uint64_t job, std::span<const std::byte> payload = {},
            std::uint16_t flags = 0);

  void end();  // closes the stream; once more does nothing

 private:
  void run();

  DataStream& stream_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::byte> waiting_;  // frames
  std::size_t being_written_bytes_ = 0;
  bool ended_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace drystone

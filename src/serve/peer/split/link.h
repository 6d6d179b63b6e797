#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "base/clock.h"
#include "net/frame.h"
#include "serve/peer/split/stream_name.h"

namespace drystone {

// How parts of an instance watch each other. Whoever computes for long says meanwhile that it
// lives, so that silence means a lost node, also one that is frozen, and a long step means nothing.
struct LinkTiming {
  std::chrono::nanoseconds keep_every = std::chrono::milliseconds(500);
  std::chrono::nanoseconds silence_max = std::chrono::milliseconds(2500);
  // Until the other side is heard for the first time: it may still wait for its other streams.
  std::chrono::nanoseconds first_within = std::chrono::seconds(60);
};

// A stream of frames between two parts of an instance, with a thread of its own that reads. Either
// side learns within silence_max that the other is lost.
class Link {
 public:
  struct Options {
    std::string name;  // of the other side and what for: for messages
    std::uint32_t payload_bytes_max;
    LinkTiming timing;
  };
  // Called on the link's thread, and must not wait for long: the silence of the other side is
  // measured between its calls. Keeps are left out. It reads the payload with read().
  // An error ends the link as a loss does.
  using OnFrame = std::function<Result<void>(const FrameHeader&, Link&)>;
  // Called once, on the link's thread, when the link can go on no more (unavailable; or corrupt,
  // limit: the other side does not keep to the protocol). Not after close().
  using OnLost = std::function<void(const Error&)>;

  // `clock` is borrowed.
  Link(std::unique_ptr<DataStream> stream, const Clock& clock, Options options);
  ~Link();  // close(), and waits for its thread
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start(OnFrame on_frame, OnLost on_lost);  // once

  // From any thread; whole frames, one after the other. Errors: unavailable (the other side takes
  // nothing any more).
  Result<void> send(PeerFrame type, std::uint16_t flags, std::uint64_t tag,
                    std::initializer_list<std::span<const std::byte>> parts);
  // Tells the other side that we live, unless something was sent within keep_every.
  Result<void> keep();

  // In OnFrame alone. Errors: corrupt (the payload is shorter), unavailable.
  Result<void> read(std::span<std::byte> into);
  std::size_t payload_left() const { return frames_.payload_left(); }

  // From any thread: nothing is sent or read any more.
  void close();
  void join();  // waits for its thread; after close(), and not from that thread

  const std::string& name() const { return options_.name; }

 private:
  void read_frames();
  Result<void> read_frame();
  StreamWait wait_to_read() const {
    const LinkTiming& timing = options_.timing;
    return {.within = heard_ ? timing.silence_max : timing.first_within};
  }
  Error lost(Error error) const;

  const std::unique_ptr<DataStream> stream_;
  const Clock& clock_;
  const Options options_;
  FrameStream frames_;  // reads
  bool heard_ = false;  // of the thread that reads
  OnFrame on_frame_;
  OnLost on_lost_;
  std::atomic<bool> closed_ = false;
  std::mutex write_mutex_;  // of what follows, and of writing
  Clock::Nanoseconds written_at_{};
  bool broken_ = false;  // a write failed: nothing more may go out
  std::thread reader_;
};

}  // namespace drystone

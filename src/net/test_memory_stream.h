#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "net/data_stream.h"
#include "net/part_cursor.h"

namespace drystone {

// Both directions, and whether either end is closed.
struct MemoryWire {
  explicit MemoryWire(std::size_t capacity) : capacity_bytes(capacity) {}
  const std::size_t capacity_bytes;
  std::mutex mutex;
  std::condition_variable changed;
  std::array<std::deque<std::byte>, 2> to;  // what waits for each end
  std::array<bool, 2> closed = {};
};

class MemoryStream final : public DataStream {
 public:
  MemoryStream(std::shared_ptr<MemoryWire> wire, std::size_t end)
      : wire_(std::move(wire)), our_end_(end), other_end_(1 - end) {}
  ~MemoryStream() override { close(); }

  Result<void> write(Parts parts, StreamWait wait) override { return exchange(parts, {}, wait); }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    return exchange({}, into, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override;
  void close() override {
    const std::lock_guard lock(wire_->mutex);
    wire_->closed[our_end_] = true;
    wire_->changed.notify_all();
  }
  const StreamPeer& peer() const override { return peer_; }

 private:
  std::shared_ptr<MemoryWire> wire_;
  std::size_t our_end_, other_end_;
  StreamPeer peer_{.key = std::nullopt, .address = "memory"};
};

inline Result<void> MemoryStream::exchange(Parts parts, std::span<std::byte> into,
                                           StreamWait wait) {
  std::deque<std::byte>& in = wire_->to[our_end_];
  std::deque<std::byte>& out = wire_->to[other_end_];
  const auto deadline = std::chrono::steady_clock::now() + wait.within;
  const std::size_t whole = into.size();
  PartCursor cursor(parts);
  std::unique_lock lock(wire_->mutex);
  while (true) {
    if (wire_->closed[our_end_]) return Error(Errc::cancelled, "this end was closed");
    const bool gone = wire_->closed[other_end_];
    if (gone && !cursor.done()) return Error(Errc::io, "the other end of the stream is closed");
    bool progressed = false;
    while (!cursor.done() && out.size() < wire_->capacity_bytes) {
      const auto piece = cursor.piece();
      const std::size_t n = std::min(piece.size(), wire_->capacity_bytes - out.size());
      out.insert(out.end(), piece.begin(), piece.begin() + n);
      cursor.advance(n);
      progressed = true;
    }
    if (const std::size_t n = std::min(into.size(), in.size()); n > 0) {
      std::copy_n(in.begin(), n, into.begin());
      in.erase(in.begin(), in.begin() + n);
      into = into.subspan(n);
      progressed = true;
    }
    if (progressed) wire_->changed.notify_all();
    if (cursor.done() && into.empty()) return {};
    if (progressed) continue;
    if (gone)
      return Error(into.size() == whole ? Errc::closed : Errc::io,
                   "the other end of the stream is closed");
    if (wire_->changed.wait_until(lock, deadline) == std::cv_status::timeout)
      return Error(Errc::unavailable, "the other end of the stream is silent");
  }
}

// For tests: two ends of a stream inside this process; what one writes the other reads. Each
// direction holds up to `capacity_bytes`; a writer beyond that waits for the reader.
inline std::pair<std::unique_ptr<DataStream>, std::unique_ptr<DataStream>> make_memory_streams(
    std::size_t capacity_bytes = 1 << 20) {
  CHECK(capacity_bytes > 0);
  const auto wire = std::make_shared<MemoryWire>(capacity_bytes);
  return {std::make_unique<MemoryStream>(wire, 0), std::make_unique<MemoryStream>(wire, 1)};
}

}  // namespace drystone

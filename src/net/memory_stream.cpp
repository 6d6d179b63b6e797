#include "net/memory_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace drystone {

namespace {

// One direction. Its writer and its reader may close it.
class Pipe {
 public:
  explicit Pipe(std::size_t capacity) : capacity_(capacity) {}

  Result<void> write(std::span<const std::byte> bytes, std::chrono::nanoseconds within) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!bytes.empty()) {
      if (!changed_.wait_until(lock, deadline, [&] {
            return writer_closed_ || reader_closed_ || bytes_.size() < capacity_;
          }))
        return Error(Errc::unavailable, "the other end of the memory stream does not read");
      if (writer_closed_) return Error(Errc::cancelled, "this end was closed");
      if (reader_closed_) return Error(Errc::io, "the other end of the memory stream is closed");
      const std::size_t n = std::min(bytes.size(), capacity_ - bytes_.size());
      bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + n);
      bytes = bytes.subspan(n);
      changed_.notify_all();
    }
    return {};
  }

  Result<void> read(std::span<std::byte> into, std::chrono::nanoseconds within) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + within;
    const std::size_t whole = into.size();
    while (!into.empty()) {
      if (!changed_.wait_until(lock, deadline,
                               [&] { return reader_closed_ || writer_closed_ || !bytes_.empty(); }))
        return Error(Errc::unavailable, "the other end of the memory stream is silent");
      if (reader_closed_) return Error(Errc::cancelled, "this end was closed");
      if (bytes_.empty())
        return Error(into.size() == whole ? Errc::closed : Errc::io,
                     "the other end of the memory stream is closed");
      const std::size_t n = std::min(into.size(), bytes_.size());
      std::copy_n(bytes_.begin(), n, into.begin());
      bytes_.erase(bytes_.begin(), bytes_.begin() + n);
      into = into.subspan(n);
      changed_.notify_all();
    }
    return {};
  }

  void close(bool by_writer) {
    const std::lock_guard lock(mutex_);
    (by_writer ? writer_closed_ : reader_closed_) = true;
    changed_.notify_all();
  }

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::byte> bytes_;
  bool writer_closed_ = false, reader_closed_ = false;
};

class MemoryStream final : public DataStream {
 public:
  MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { close(); }

  Result<void> write(Parts parts, StreamWait wait) override {
    for (const auto part : parts) TRY(out_->write(part, wait.within));
    return {};
  }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    return in_->read(into, wait.within);
  }
  void close() override {
    in_->close(/*by_writer=*/false);
    out_->close(/*by_writer=*/true);
  }
  const StreamPeer& peer() const override { return peer_; }

 private:
  std::shared_ptr<Pipe> in_, out_;
  StreamPeer peer_{.key = std::nullopt, .address = "memory"};
};

}  // namespace

std::pair<std::unique_ptr<DataStream>, std::unique_ptr<DataStream>> make_memory_streams(
    std::size_t capacity_bytes) {
  CHECK(capacity_bytes > 0);
  const auto there = std::make_shared<Pipe>(capacity_bytes);
  const auto back = std::make_shared<Pipe>(capacity_bytes);
  return {std::make_unique<MemoryStream>(back, there), std::make_unique<MemoryStream>(there, back)};
}

}  // namespace drystone

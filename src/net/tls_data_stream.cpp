#include "net/tls_data_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "net/stream_waiter.h"

namespace drystone {

namespace {

class TlsDataStream final : public DataStream {
 public:
  TlsDataStream(SocketHandle socket, std::unique_ptr<TlsChannel> channel, const Clock& clock)
      : socket_(std::move(socket)),
        channel_(std::move(channel)),
        clock_(clock),
        peer_{.key = channel_->peer_key(), .address = peer_address(socket_.get())} {
    staging_.reserve(TlsChannel::kRecordBytes);
  }
  ~TlsDataStream() override { close(); }

  Result<void> write(Parts parts, StreamWait wait) override;
  Result<void> read(std::span<std::byte> into, StreamWait wait) override;
  void close() override;
  const StreamPeer& peer() const override { return peer_; }

 private:
  StreamWaiter waiter(StreamWait wait) const { return {socket_.get(), clock_, closed_, wait}; }
  Result<void> put(std::span<const std::byte> bytes, StreamWaiter& waiter);
  // A broken connection is what the other thread's close() looks like from inside.
  Error blame(Error error) const {
    if (closed_) return {Errc::cancelled, "this end of the connection was closed"};
    return error;
  }

  SocketHandle socket_;
  std::unique_ptr<TlsChannel> channel_;
  const Clock& clock_;
  StreamPeer peer_;
  std::atomic<bool> closed_ = false;
  std::vector<std::byte> staging_;  // of the writing thread: small parts on their way into a record
};

// Hands all of it to the channel; the last of it may still be inside.
Result<void> TlsDataStream::put(std::span<const std::byte> bytes, StreamWaiter& waiter) {
  while (!bytes.empty()) {
    const auto progress = TRY(channel_->write_some(bytes));
    bytes = bytes.subspan(progress.bytes);
    if (progress.wait == TlsChannel::Wait::writable) TRY(waiter.wait(SocketSide::writable));
  }
  return {};
}

Result<void> TlsDataStream::write(Parts parts, StreamWait wait) {
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  StreamWaiter waiter = this->waiter({.within = wait.within});
  const auto all = [&]() -> Result<void> {
    staging_.clear();
    for (std::span<const std::byte> part : parts) {
      while (!part.empty()) {
        if (staging_.empty() && part.size() >= TlsChannel::kRecordBytes) {
          TRY(put(part.first(TlsChannel::kRecordBytes), waiter));
          part = part.subspan(TlsChannel::kRecordBytes);
          continue;
        }
        const std::size_t taken = std::min(part.size(), TlsChannel::kRecordBytes - staging_.size());
        staging_.insert(staging_.end(), part.begin(), part.begin() + taken);
        part = part.subspan(taken);
        if (staging_.size() < TlsChannel::kRecordBytes) continue;
        TRY(put(staging_, waiter));
        staging_.clear();
      }
    }
    TRY(put(staging_, waiter));
    while (TRY(channel_->write_some({})).wait == TlsChannel::Wait::writable)
      TRY(waiter.wait(SocketSide::writable));
    return {};
  };
  auto done = all();
  if (!done) return blame(std::move(done).error().with("writing to " + peer_.address));
  return done;
}

Result<void> TlsDataStream::read(std::span<std::byte> into, StreamWait wait) {
  if (closed_) return Error(Errc::cancelled, "this end of the connection was closed");
  StreamWaiter waiter = this->waiter(wait);
  const std::size_t whole = into.size();
  const auto all = [&]() -> Result<void> {
    while (!into.empty()) {
      const auto progress = TRY(channel_->read_some(into));
      into = into.subspan(progress.bytes);
      if (progress.wait == TlsChannel::Wait::readable)
        TRY(waiter.wait(SocketSide::readable));
      else
        waiter.progressed();
    }
    return {};
  };
  auto done = all();
  if (done) return done;
  Error error = std::move(done).error().with("reading from " + peer_.address);
  if (error.code() == Errc::closed && into.size() < whole)
    error = Error(Errc::io, error.message() + " in the midst of a message");
  return blame(std::move(error));
}

void TlsDataStream::close() {
  if (closed_.exchange(true)) return;
  channel_->say_goodbye();
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace

std::unique_ptr<DataStream> make_tls_stream(SocketHandle socket,
                                            std::unique_ptr<TlsChannel> channel,
                                            const Clock& clock) {
  return std::make_unique<TlsDataStream>(std::move(socket), std::move(channel), clock);
}

}  // namespace drystone

#include "net/tls_data_stream.h"

#include <vector>

#include "net/socket_stream.h"

namespace drystone {

namespace {

class TlsDataStream final : public SocketStream {
 public:
  TlsDataStream(SocketHandle socket, std::unique_ptr<TlsChannel> channel, const Clock& clock)
      : SocketStream(std::move(socket), clock, channel->peer_key()), channel_(std::move(channel)) {
    staging_.reserve(TlsChannel::kRecordBytes);
  }
  ~TlsDataStream() override { close(); }

 private:
  Result<bool> send_some(PartCursor& parts) override {
    while (true) {
      if (record_.empty() && !parts.done())
        record_ = parts.take(TlsChannel::kRecordBytes, staging_);
      const auto progress = TRY(channel_->write_some(record_));
      record_ = record_.subspan(progress.bytes);
      if (progress.wait == TlsChannel::Wait::writable) return false;
      if (record_.empty() && parts.done()) return true;
    }
  }
  // As much as has come, as long as there is room: records hold at most 16 KiB.
  Result<std::size_t> receive_some(std::span<std::byte> into) override {
    return TRY(channel_->read_some(into)).bytes;
  }
  void say_goodbye() override { channel_->say_goodbye(); }

  std::unique_ptr<TlsChannel> channel_;
  // Of the writing thread: what becomes the next record, and where small parts meet for it.
  std::span<const std::byte> record_;
  std::vector<std::byte> staging_;
};

}  // namespace

std::unique_ptr<DataStream> make_tls_stream(SocketHandle socket,
                                            std::unique_ptr<TlsChannel> channel,
                                            const Clock& clock) {
  return std::make_unique<TlsDataStream>(std::move(socket), std::move(channel), clock);
}

}  // namespace drystone

#include "app/node/guarded_streams.h"

#include <mutex>
#include <set>

namespace drystone {

struct GuardedStreams::Shared {
  std::mutex mutex;
  std::set<DataStream*> streams;
};

class GuardedStreams::Guarded final : public DataStream {
 public:
  Guarded(std::shared_ptr<Shared> shared, std::unique_ptr<DataStream> stream)
      : shared_(std::move(shared)), stream_(std::move(stream)) {
    const std::lock_guard lock(shared_->mutex);
    shared_->streams.insert(stream_.get());
  }
  ~Guarded() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->streams.erase(stream_.get());
  }

  Result<void> write(Parts parts, StreamWait wait) override { return stream_->write(parts, wait); }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    return stream_->read(into, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override {
    return stream_->exchange(parts, into, wait);
  }
  void close() override { stream_->close(); }
  const StreamPeer& peer() const override { return stream_->peer(); }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<DataStream> stream_;
};

GuardedStreams::GuardedStreams() : shared_(std::make_shared<Shared>()) {}

std::unique_ptr<DataStream> GuardedStreams::guard(std::unique_ptr<DataStream> stream) {
  return std::make_unique<Guarded>(shared_, std::move(stream));
}

void GuardedStreams::close_all_of(const PublicKey& key) {
  const std::lock_guard lock(shared_->mutex);
  for (DataStream* stream : shared_->streams)
    if (stream->peer().key == key) stream->close();
}

std::size_t GuardedStreams::size() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->streams.size();
}

}  // namespace drystone

#include "app/node/peers/guarded_streams.h"

#include <mutex>
#include <set>

#include "net/forward_stream.h"

namespace drystone {

struct GuardedStreams::Shared {
  std::mutex mutex;
  std::set<DataStream*> streams;
};

class GuardedStreams::Guarded final : public ForwardStream {
 public:
  Guarded(std::shared_ptr<Shared> shared, std::unique_ptr<DataStream> stream)
      : ForwardStream(std::move(stream)), shared_(std::move(shared)) {
    const std::lock_guard lock(shared_->mutex);
    shared_->streams.insert(&inner());
  }
  ~Guarded() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->streams.erase(&inner());
  }

 private:
  const std::shared_ptr<Shared> shared_;
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

#include "serve/peer/data_door.h"

#include <list>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "net/forward_stream.h"
#include "net/frame.h"

namespace drystone {
namespace {

// A stream that its door can close as long as the door knows it, whoever has it.
class DoorStream final : public ForwardStream {
 public:
  using ForwardStream::ForwardStream;
  ~DoorStream() override { close(); }
};

Result<DataPurpose> read_purpose(DataStream& stream) {
  FrameStream frames(stream, {.payload_bytes_max = 0});
  const FrameHeader header = TRY(frames.read_header({.within = DataDoor::kPurposeWithin}));
  if (header.type != kPurposeFrame || header.flags != 0)
    return Error(Errc::corrupt,
                 fmt::format("a data connection begins with a frame of type {}", header.type));
  return static_cast<DataPurpose>(header.tag);
}

}  // namespace

struct DataDoor::Shared {
  struct Visitor {
    std::shared_ptr<DataStream> stream;
    std::thread thread;
    bool done = false;
  };

  void receive(Visitor& visitor);
  void reap();

  std::mutex mutex;
  std::map<DataPurpose, std::shared_ptr<const Serve>> serves;
  std::list<Visitor> visitors;
  bool closed = false;
};

DataDoor::DataDoor() : shared_(std::make_shared<Shared>()) {}

DataDoor::~DataDoor() {
  close();
  std::list<Shared::Visitor> left;
  {
    const std::lock_guard lock(shared_->mutex);
    left.swap(shared_->visitors);
  }
  for (Shared::Visitor& visitor : left) visitor.thread.join();
}

void DataDoor::serve(DataPurpose purpose, Serve serve) {
  const std::lock_guard lock(shared_->mutex);
  if (serve)
    shared_->serves[purpose] = std::make_shared<const Serve>(std::move(serve));
  else
    shared_->serves.erase(purpose);
}

void DataDoor::accept(std::unique_ptr<DataStream> stream) {
  shared_->reap();
  const std::lock_guard lock(shared_->mutex);
  if (shared_->closed || shared_->visitors.size() >= kStreamsMax) return stream->close();
  Shared::Visitor& visitor = shared_->visitors.emplace_back();
  visitor.stream = std::move(stream);
  try {
    visitor.thread = std::thread([shared = shared_.get(), &visitor] { shared->receive(visitor); });
  } catch (const std::system_error&) {  // no more threads here: the dialler may try again
    visitor.stream->close();
    shared_->visitors.pop_back();
  }
}

void DataDoor::close() {
  const std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  for (const Shared::Visitor& visitor : shared_->visitors)
    if (visitor.stream != nullptr) visitor.stream->close();
}

void DataDoor::Shared::receive(Visitor& visitor) {
  auto stream = std::make_unique<DoorStream>(visitor.stream);
  try {
    std::shared_ptr<const Serve> serve;
    if (const auto purpose = read_purpose(*stream)) {
      const std::lock_guard lock(mutex);
      if (const auto at = serves.find(*purpose); at != serves.end() && !closed) serve = at->second;
    }
    if (serve != nullptr) (*serve)(std::move(stream));
  } catch (...) {  // out of memory, mostly: this stream's end
  }
  stream.reset();
  std::shared_ptr<DataStream> last;
  const std::lock_guard lock(mutex);
  last = std::exchange(visitor.stream, nullptr);
  visitor.done = true;
}

void DataDoor::Shared::reap() {
  std::list<Visitor> done;
  {
    const std::lock_guard lock(mutex);
    for (auto it = visitors.begin(); it != visitors.end();) {
      const auto next = std::next(it);
      if (it->done) done.splice(done.end(), visitors, it);
      it = next;
    }
  }
  for (Visitor& visitor : done) visitor.thread.join();
}

Result<std::unique_ptr<DataStream>> dial_for(DataPurpose purpose, PeerDialer& dialer,
                                             const std::string& node,
                                             std::chrono::nanoseconds within,
                                             const std::atomic<bool>& stop) {
  auto stream = TRY(dialer.dial(node, within, stop));
  FrameStream frames(*stream, {.payload_bytes_max = 0});
  TRY(frames.write({.type = kPurposeFrame, .tag = static_cast<std::uint64_t>(purpose)}, {},
                   {.within = DataDoor::kPurposeWithin}));
  return stream;
}

}  // namespace drystone

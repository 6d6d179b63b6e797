#include "serve/peer/split/switchboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/frame.h"
#include "net/node_key.h"

namespace drystone {
namespace {

constexpr std::chrono::milliseconds kStopPoll{50};

Result<StreamName> read_name(DataStream& stream, std::chrono::nanoseconds within) {
  FrameStream frames(stream, {.payload_bytes_max = kHelloBytesMax});
  const FrameHeader header = TRY(frames.read_header({.within = within}));
  if (header.type != static_cast<std::uint16_t>(PeerFrame::hello))
    return Error(Errc::corrupt,
                 fmt::format("a stream begins with a frame of type {}", header.type));
  return parse_stream_name(TRY(frames.read_rest({.within = within})));
}

bool proves(const DataStream& stream, const std::string& node) {
  const auto& key = stream.peer().key;
  return !key || node_id(*key) == node;
}

}  // namespace

Switchboard::~Switchboard() { close(); }

void Switchboard::accept(std::unique_ptr<DataStream> stream) {
  Streams over;
  DataStream* const greeting = stream.get();
  bool enters = false;
  {
    const std::lock_guard lock(mutex_);
    enters = !closed_ && greetings_.size() < kGreetingsMax;
    if (enters) greetings_.insert(greeting);
  }
  if (!enters) return stream->close();
  const auto name = read_name(*stream, kGreetingWithin);
  {
    const std::lock_guard lock(mutex_);
    greetings_.erase(greeting);
    drop_expired(over);
    if (!name || !park(*name, stream, over)) over.push_back(std::move(stream));
  }
  changed_.notify_all();
  for (const auto& each : over) each->close();
}

bool Switchboard::park(const StreamName& name, std::unique_ptr<DataStream>& stream, Streams& over) {
  if (closed_ || (parked_.size() >= kParkedMax && !parked_.contains(name))) return false;
  Parked& parked = parked_[name];
  if (parked.stream != nullptr) over.push_back(std::move(parked.stream));
  parked = {std::move(stream), clock_.monotonic()};
  return true;
}

Result<std::unique_ptr<DataStream>> Switchboard::take(const StreamName& name,
                                                      const std::string& node,
                                                      std::chrono::nanoseconds within,
                                                      const std::atomic<bool>& stop) {
  const auto deadline = clock_.monotonic() + within;
  Streams over;  // destroyed behind the lock
  std::unique_lock lock(mutex_);
  while (true) {
    drop_expired(over);
    if (closed_ || stop) return Error(Errc::cancelled, "connecting was stopped");
    if (const auto found = parked_.find(name); found != parked_.end()) {
      auto stream = std::move(found->second.stream);
      parked_.erase(found);
      if (proves(*stream, node)) return stream;
      over.push_back(std::move(stream));  // of a member, but not the one whose part this is
    }
    const auto left = deadline - clock_.monotonic();
    if (left <= left.zero())
      return Error(Errc::unavailable,
                   fmt::format("{} did not come from {}", to_string(name), node));
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, kStopPoll));
  }
}

void Switchboard::drop_expired(Streams& over) {
  const auto now = clock_.monotonic();
  for (auto one = parked_.begin(); one != parked_.end();) {
    const auto next = std::next(one);
    if (now - one->second.since >= kParkedFor) {
      over.push_back(std::move(one->second.stream));
      parked_.erase(one);
    }
    one = next;
  }
}

std::size_t Switchboard::parked() const {
  const std::lock_guard lock(mutex_);
  return parked_.size();
}

void Switchboard::close() {
  std::map<StreamName, Parked> parked;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    parked.swap(parked_);
    for (DataStream* greeting : greetings_) greeting->close();
  }
  changed_.notify_all();
}

}  // namespace drystone

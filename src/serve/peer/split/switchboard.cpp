#include "serve/peer/split/switchboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
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
  reap();
  const std::lock_guard lock(mutex_);
  drop_expired();
  if (closed_ || greetings_.size() >= kGreetingsMax) return stream->close();
  Greeting& greeting = greetings_.emplace_back();
  greeting.stream = std::move(stream);
  try {
    greeting.thread = std::thread([this, &greeting] { greet(greeting); });
  } catch (const std::system_error&) {
    greeting.stream->close();
    greetings_.pop_back();
  }
}

void Switchboard::greet(Greeting& greeting) {
  auto name = read_name(*greeting.stream, kGreetingWithin);
  std::unique_ptr<DataStream> replaced;  // closed outside the lock
  {
    const std::lock_guard lock(mutex_);
    greeting.done = true;
    drop_expired();
    if (!name || closed_ || (parked_.size() >= kParkedMax && !parked_.contains(*name))) {
      greeting.stream->close();
    } else {
      Parked& parked = parked_[*name];
      replaced = std::exchange(parked.stream, std::move(greeting.stream));
      parked.since = clock_.monotonic();
    }
  }
  changed_.notify_all();
}

void Switchboard::reap() {
  std::list<Greeting> done;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = greetings_.begin(); it != greetings_.end();) {
      const auto next = std::next(it);
      if (it->done) done.splice(done.end(), greetings_, it);
      it = next;
    }
  }
  for (Greeting& greeting : done) greeting.thread.join();
}

Result<std::unique_ptr<DataStream>> Switchboard::take(const StreamName& name,
                                                      const std::string& node,
                                                      std::chrono::nanoseconds within,
                                                      const std::atomic<bool>& stop) {
  reap();
  const auto deadline = clock_.monotonic() + within;
  std::unique_lock lock(mutex_);
  while (true) {
    drop_expired();
    if (closed_ || stop) return Error(Errc::cancelled, "connecting was stopped");
    if (const auto found = parked_.find(name); found != parked_.end()) {
      auto stream = std::move(found->second.stream);
      parked_.erase(found);
      if (proves(*stream, node)) return stream;
      stream->close();  // a member, but not the one whose part this is
    }
    const auto left = deadline - clock_.monotonic();
    if (left <= left.zero())
      return Error(Errc::unavailable,
                   fmt::format("{} did not come from {}", to_string(name), node));
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, kStopPoll));
  }
}

void Switchboard::drop_expired() {
  const auto now = clock_.monotonic();
  std::erase_if(parked_, [&](const auto& one) { return now - one.second.since >= kParkedFor; });
}

std::size_t Switchboard::parked() const {
  const std::lock_guard lock(mutex_);
  return parked_.size();
}

void Switchboard::close() {
  std::list<Greeting> greetings;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    parked_.clear();
    for (Greeting& greeting : greetings_)
      if (!greeting.done) greeting.stream->close();
  }
  changed_.notify_all();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (greetings_.empty()) return;
      greetings.splice(greetings.end(), greetings_, greetings_.begin());
    }
    greetings.front().thread.join();
    greetings.clear();
  }
}

}  // namespace drystone

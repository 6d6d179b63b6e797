#include "serve/jobs/frame_sender.h"

#include <algorithm>
#include <utility>

#include "net/frame.h"

namespace drystone {

FrameSender::FrameSender(DataStream& stream, Options options)
    : stream_(stream), options_(std::move(options)), thread_([this] { run(); }) {}

FrameSender::~FrameSender() {
  end();
  thread_.join();
}

bool FrameSender::send(JobFrame type, std::uint64_t job, std::span<const std::byte> payload,
                       std::uint16_t flags) {
  const auto head = encode(FrameHeader{.type = static_cast<std::uint16_t>(type),
                                       .flags = flags,
                                       .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                                       .tag = job});
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    const std::size_t bytes = waiting_.size() + being_written_bytes_ + head.size() + payload.size();
    if (bytes <= options_.waiting_bytes_max) {
      waiting_.insert(waiting_.end(), head.begin(), head.end());
      waiting_.insert(waiting_.end(), payload.begin(), payload.end());
      changed_.notify_one();
      return true;
    }
  }
  end();
  return false;
}

void FrameSender::end() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    changed_.notify_one();
  }
  stream_.close();
}

void FrameSender::run() {
  using Now = std::chrono::steady_clock;
  std::vector<std::byte> frames;
  auto said = Now::now(), looked = said;
  std::unique_lock lock(mutex_);
  while (!ended_) {
    auto until = said + options_.waits.alive_every;
    if (options_.look) until = std::min(until, looked + options_.waits.look_every);
    changed_.wait_until(lock, until, [&] { return ended_ || !waiting_.empty(); });
    if (ended_) return;
    frames.clear();
    std::swap(frames, waiting_);
    being_written_bytes_ = frames.size();
    lock.unlock();
    const auto now = Now::now();
    if (options_.look && now >= looked + options_.waits.look_every) {
      looked = now;
      options_.look();
    }
    if (frames.empty() && now >= said + options_.waits.alive_every) {
      const auto alive = encode(FrameHeader{.type = static_cast<std::uint16_t>(JobFrame::alive)});
      frames.assign(alive.begin(), alive.end());
    }
    bool written = true;
    if (!frames.empty()) {
      said = now;
      written = stream_.write(frames, {.within = options_.waits.write_max}).has_value();
    }
    if (!written) end();
    lock.lock();
    being_written_bytes_ = 0;
  }
}

}  // namespace drystone

#include "serve/peer/probe/link_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "net/frame.h"
#include "serve/peer/probe/probe_wire.h"

namespace drystone {
namespace {

constexpr std::size_t kChunkBytes = 256 * kKiB;
constexpr StreamWait kWait{.within = kProbeWait};
// As while a model writes.
constexpr StreamWait kSpin{.within = kProbeWait, .spin = std::chrono::microseconds(500)};
constexpr int kPings = 24, kWarmPings = 4;
constexpr std::uint64_t kRounds = 32, kWarmRounds = 4;
// A transfer says something when it takes so long; the next one is sized for the second.
constexpr double kLongEnough_s = 0.06, kAim_s = 0.12;
constexpr int kTransfersMax = 4;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What both sides can do.
class ProbeStream {
 public:
  ProbeStream(DataStream& stream, const Clock& clock)
      : stream_(stream), clock_(clock), frames_(stream, {.payload_bytes_max = 0}) {}

  Result<void> say(ProbeFrame type, std::uint64_t tag = 0) {
    return frames_.write({.type = static_cast<std::uint16_t>(type), .tag = tag}, {}, kWait);
  }
  Result<FrameHeader> hear() { return frames_.read_header(kSpin); }
  Result<std::uint64_t> hear(ProbeFrame expected) {
    const FrameHeader header = TRY(hear());
    if (header.type != static_cast<std::uint16_t>(expected)) return unexpected(header);
    return header.tag;
  }
  static Error unexpected(const FrameHeader& header) {
    return {Errc::corrupt, fmt::format("measuring a link: a frame of type {}", header.type)};
  }

  // Seconds of each round.
  Result<std::vector<double>> exchange(std::uint64_t rounds) {
    std::array<std::byte, kExchangeBytes> out{}, in{};
    const std::span<const std::byte> part(out);
    std::vector<double> times;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const auto start = clock_.monotonic();
      TRY(stream_.exchange({&part, 1}, in, kSpin));
      times.push_back(seconds(clock_.monotonic() - start));
    }
    return times;
  }

  Result<void> write(Bytes bytes) {
    buffer_.resize(kChunkBytes);
    while (bytes > 0) {
      const std::size_t size = std::min<Bytes>(bytes, buffer_.size());
      TRY(stream_.write(std::span(buffer_).first(size), kWait));
      bytes -= size;
    }
    return {};
  }

  // The time from the first chunk's arrival to the last one's; the first is not counted in.
  struct Took {
    Bytes bytes;
    Clock::Nanoseconds time;
  };
  Result<Took> read(Bytes bytes) {
    buffer_.resize(kChunkBytes);
    const std::size_t first = std::min<Bytes>(bytes, kProbeBytesMin / 4);
    TRY(stream_.read(std::span(buffer_).first(first), kWait));
    const auto start = clock_.monotonic();
    for (Bytes left = bytes - first; left > 0;) {
      const std::size_t size = std::min<Bytes>(left, buffer_.size());
      TRY(stream_.read(std::span(buffer_).first(size), kWait));
      left -= size;
    }
    return Took{bytes - first, clock_.monotonic() - start};
  }

  Clock::Nanoseconds now() const { return clock_.monotonic(); }

 private:
  DataStream& stream_;
  const Clock& clock_;
  FrameStream frames_;
  std::vector<std::byte> buffer_;
};

Result<double> round_trip(ProbeStream& stream) {
  std::vector<double> times;
  for (int i = 0; i < kPings; ++i) {
    const auto start = stream.now();
    TRY(stream.say(ProbeFrame::ping, static_cast<std::uint64_t>(i)));
    TRY(stream.hear(ProbeFrame::pong));
    if (i >= kWarmPings) times.push_back(seconds(stream.now() - start));
  }
  return median(std::move(times));
}

Result<double> exchange(ProbeStream& stream) {
  TRY(stream.say(ProbeFrame::exchange, kRounds));
  std::vector<double> times = TRY(stream.exchange(kRounds));
  // The first ones begin before the other side does.
  times.erase(times.begin(), times.begin() + kWarmRounds);
  return median(std::move(times));
}

// Grows until a transfer takes long enough. `transfer(bytes)`: what it took.
template <typename Transfer>
Result<double> bandwidth(Transfer transfer) {
  Bytes bytes = kProbeBytesMin;
  double rate = 0;
  for (int i = 0; i < kTransfersMax; ++i) {
    const ProbeStream::Took took = TRY(transfer(bytes));
    const double time_s = std::max(seconds(took.time), 1e-6);
    rate = static_cast<double>(took.bytes) / time_s;
    if (time_s >= kLongEnough_s || bytes == kProbeBytesMax) break;
    // At most 16 times more: the first ones may have met empty buffers.
    bytes =
        std::clamp(static_cast<Bytes>(std::min(rate * kAim_s, 16.0 * static_cast<double>(bytes))),
                   kProbeBytesMin, kProbeBytesMax);
  }
  return rate;
}

class Answer {
 public:
  explicit Answer(ProbeStream& stream) : stream_(stream) {}

  Result<void> run() {
    for (std::uint32_t frame = 0; frame < kProbeFramesMax; ++frame) {
      auto header = stream_.hear();
      if (header.is(Errc::closed)) return {};  // the peer is done
      TRY(step(TRY(std::move(header))));
    }
    return Error(Errc::limit, "a link is measured with too many frames");
  }

 private:
  Result<void> step(const FrameHeader& header) {
    switch (static_cast<ProbeFrame>(header.type)) {
      case ProbeFrame::ping:
        return stream_.say(ProbeFrame::pong, header.tag);
      case ProbeFrame::exchange: {
        if (header.tag > kExchangeRoundsMax) return ProbeStream::unexpected(header);
        TRY(stream_.exchange(header.tag));
        return {};
      }
      case ProbeFrame::send: {
        TRY(allow(header.tag));
        const ProbeStream::Took took = TRY(stream_.read(header.tag));
        return stream_.say(ProbeFrame::took, static_cast<std::uint64_t>(took.time.count()));
      }
      case ProbeFrame::receive:
        TRY(allow(header.tag));
        return stream_.write(header.tag);
      default:
        return ProbeStream::unexpected(header);
    }
  }

  Result<void> allow(Bytes bytes) {
    if (bytes < kProbeBytesMin || bytes > kProbeBytesMax ||
        (transferred_ += bytes) > kProbeSessionBytesMax)
      return Error(Errc::limit, fmt::format("a link is measured with {} bytes", bytes));
    return {};
  }

  ProbeStream& stream_;
  Bytes transferred_ = 0;
};

}  // namespace

Result<ProbeFigures> probe_link(DataStream& data, const Clock& clock) {
  ProbeStream stream(data, clock);
  TRY(stream.say(ProbeFrame::hello, kProbeVersion));
  const FrameHeader header = TRY(stream.hear());
  if (header.type == static_cast<std::uint16_t>(ProbeFrame::busy))
    return Error(Errc::limit, "the other node is measuring a link");
  if (header.type == static_cast<std::uint16_t>(ProbeFrame::version))
    return Error(Errc::unsupported,
                 fmt::format("the other node measures links in version {}, this one in {}: one of "
                             "them is older, update it",
                             header.tag, kProbeVersion));
  if (header.type != static_cast<std::uint16_t>(ProbeFrame::ready))
    return ProbeStream::unexpected(header);
  ProbeFigures figures;
  figures.round_trip_s = TRY(round_trip(stream));
  figures.exchange_s = TRY(exchange(stream));
  figures.bandwidth = TRY(bandwidth([&](Bytes bytes) -> Result<ProbeStream::Took> {
    TRY(stream.say(ProbeFrame::send, bytes));
    TRY(stream.write(bytes));
    const std::uint64_t took_ns = TRY(stream.hear(ProbeFrame::took));
    if (took_ns > static_cast<std::uint64_t>(std::chrono::nanoseconds(kProbeWait).count()) * 10)
      return Error(Errc::corrupt, "the other node says that a transfer took minutes");
    return ProbeStream::Took{bytes - kProbeBytesMin / 4,
                             std::chrono::nanoseconds(static_cast<std::int64_t>(took_ns))};
  }));
  figures.bandwidth_back = TRY(bandwidth([&](Bytes bytes) -> Result<ProbeStream::Took> {
    TRY(stream.say(ProbeFrame::receive, bytes));
    return stream.read(bytes);
  }));
  data.close();
  return figures;
}

Result<void> answer_probe(DataStream& data, const Clock& clock, ProbeGate& gate) {
  ProbeStream stream(data, clock);
  const std::uint64_t version = TRY(stream.hear(ProbeFrame::hello));
  if (version != kProbeVersion) return stream.say(ProbeFrame::version, kProbeVersion);
  const ProbeGate::Pass pass(gate);
  if (!pass) return stream.say(ProbeFrame::busy);
  TRY(stream.say(ProbeFrame::ready));
  return Answer(stream).run();
}

}  // namespace drystone

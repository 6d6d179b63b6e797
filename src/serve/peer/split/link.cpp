#include "serve/peer/split/link.h"

#include <algorithm>
#include <array>

namespace drystone {
namespace {

// Of a frame written or read at once: so much must pass within silence_max on any link.
constexpr std::size_t kPieceBytes = 256 * 1024;

}  // namespace

Link::Link(std::unique_ptr<DataStream> stream, const Clock& clock, Options options)
    : stream_(std::move(stream)),
      clock_(clock),
      options_(std::move(options)),
      frames_(*stream_, {.payload_bytes_max = options_.payload_bytes_max}) {}

Link::~Link() {
  close();
  join();
}

void Link::join() {
  if (reader_.joinable()) reader_.join();
}

void Link::start(OnFrame on_frame, OnLost on_lost) {
  CHECK(!reader_.joinable());
  on_frame_ = std::move(on_frame);
  on_lost_ = std::move(on_lost);
  reader_ = std::thread([this] { read_frames(); });
}

void Link::close() {
  closed_ = true;
  stream_->close();
}

// What ends a stream, in the words of parts.
Error Link::lost(Error error) const {
  if (error.code() == Errc::closed)
    return Error(Errc::unavailable, options_.name + " has ended its part");
  const bool theirs = error.code() == Errc::corrupt || error.code() == Errc::limit;
  return Error(theirs ? error.code() : Errc::unavailable, error.message())
      .with("the link to " + options_.name);
}

void Link::read_frames() {
  while (true) {
    auto result = read_frame();
    if (closed_) return;
    if (result) continue;
    stream_->close();
    on_lost_(lost(std::move(result).error()));
    return;
  }
}

Result<void> Link::read_frame() {
  const FrameHeader header = TRY(frames_.read_header(wait_to_read()));
  heard_ = true;
  if (header.type == static_cast<std::uint16_t>(PeerFrame::keep)) return {};
  TRY(on_frame_(header, *this));
  if (payload_left() != 0)
    return Error(Errc::corrupt,
                 fmt::format("{} bytes behind a frame's last field", payload_left()));
  return {};
}

Result<void> Link::read(std::span<std::byte> into) {
  if (into.size() > payload_left())
    return Error(Errc::corrupt, fmt::format("a frame ends after {} bytes where {} should follow",
                                            payload_left(), into.size()));
  while (!into.empty()) {
    const auto piece = into.first(std::min(into.size(), kPieceBytes));
    TRY(frames_.read_payload(piece, wait_to_read()));
    into = into.subspan(piece.size());
  }
  return {};
}

Result<void> Link::send(PeerFrame type, std::uint16_t flags, std::uint64_t tag,
                        std::initializer_list<std::span<const std::byte>> parts) {
  std::size_t bytes = 0;
  for (const auto part : parts) bytes += part.size();
  CHECK(bytes <= options_.payload_bytes_max, bytes, options_.payload_bytes_max);
  const auto header = encode(FrameHeader{.type = static_cast<std::uint16_t>(type),
                                         .flags = flags,
                                         .payload_bytes = static_cast<std::uint32_t>(bytes),
                                         .tag = tag});
  const std::lock_guard lock(write_mutex_);
  std::array<std::span<const std::byte>, FrameStream::kPartsMax> piece = {std::span(header)};
  std::size_t count = 1, size = header.size();
  const auto flush = [&]() -> Result<void> {
    if (count == 0) return {};
    auto written = stream_->write(DataStream::Parts(piece.data(), count),
                                  {.within = options_.timing.silence_max});
    if (!written) {
      broken_ = true;
      return lost(std::move(written).error());
    }
    count = size = 0;
    return {};
  };
  for (auto part : parts)
    while (!part.empty()) {
      if (size == kPieceBytes || count == piece.size()) TRY(flush());
      piece[count] = part.first(std::min(part.size(), kPieceBytes - size));
      size += piece[count].size();
      part = part.subspan(piece[count++].size());
    }
  TRY(flush());
  written_at_ = clock_.monotonic();
  return {};
}

Result<void> Link::keep() {
  {
    const std::unique_lock lock(write_mutex_, std::try_to_lock);
    if (!lock || broken_ || clock_.monotonic() - written_at_ < options_.timing.keep_every)
      return {};
  }
  return send(PeerFrame::keep, 0, 0, {});
}

}  // namespace drystone

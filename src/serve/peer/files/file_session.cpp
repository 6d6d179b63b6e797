#include "serve/peer/files/file_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "serve/peer/files/file_wire.h"

namespace drystone {
namespace {

constexpr StreamWait kWait{.within = FileSession::kAnswerWithin};

std::uint16_t number(FileFrame type) { return static_cast<std::uint16_t>(type); }

// The ranges in pieces of at most kReadBytesMax.
class Pieces {
 public:
  explicit Pieces(std::span<const FileRange> ranges) : ranges_(ranges) {}

  std::optional<FileRange> next() {
    while (!ranges_.empty() && at_ >= ranges_[0].bytes.size()) {
      ranges_ = ranges_.subspan(1);
      at_ = 0;
    }
    if (ranges_.empty()) return std::nullopt;
    const ByteRange& whole = ranges_[0].bytes;
    const Bytes size = std::min<Bytes>(kReadBytesMax, whole.size() - at_);
    const Bytes begin = whole.begin + at_;
    at_ += size;
    return FileRange{.file = ranges_[0].file, .bytes = {begin, begin + size}};
  }

 private:
  std::span<const FileRange> ranges_;
  Bytes at_ = 0;  // of the first range
};

}  // namespace

FileSession::FileSession(std::unique_ptr<DataStream> stream)
    : stream_(std::move(stream)), frames_(*stream_, {.payload_bytes_max = kFileFrameMax}) {}

Result<std::unique_ptr<FileSession>> FileSession::open(PeerDialer& dialer, const std::string& node,
                                                       const std::string& identity,
                                                       const std::atomic<bool>& stop) {
  // Not within the new-expression: what it has allocated would be lost where TRY returns.
  auto stream = TRY(dialer.dial(node, kDialWithin, stop));
  std::unique_ptr<FileSession> session(new FileSession(std::move(stream)));
  TRY(session->hello(identity));
  return session;
}

Result<void> FileSession::hello(const std::string& identity) {
  TRY(frames_.write({.type = number(FileFrame::open)}, {encode_open(identity)}, kWait));
  const FrameHeader header = TRY(next());
  if (header.type != number(FileFrame::files))
    return Error(Errc::corrupt, fmt::format("a frame of type {} instead of files", header.type));
  const auto payload = TRY(frames_.read_rest(kWait));
  files_ = TRY(decode_files(payload));
  return {};
}

// A header that is no error of the peer.
Result<FrameHeader> FileSession::next() {
  const FrameHeader header = TRY(frames_.read_header(kWait));
  if (header.type != number(FileFrame::failed)) return header;
  const auto payload = TRY(frames_.read_rest(kWait));
  Error error = decode_failed(payload);
  // What the holder lacks (memory, time) says nothing of this node: another one may be asked.
  if (error.code() == Errc::not_found || error.code() == Errc::corrupt ||
      error.code() == Errc::busy)
    return error;
  return Error(Errc::unavailable, error.message());
}

Result<void> FileSession::read(std::span<const FileRange> ranges, const Sink& sink,
                               const std::atomic<bool>& stop) {
  Pieces pieces(ranges);
  std::deque<FileRange> in_flight;
  while (true) {
    while (!make_room_ && in_flight.size() < kReadsInFlightMax) {
      const auto piece = pieces.next();
      if (!piece) break;
      CHECK(piece->file < files_.size() && piece->bytes.end <= files_[piece->file].size,
            piece->file, piece->bytes.end);
      const FileRead read{.file = static_cast<std::uint32_t>(piece->file),
                          .offset = piece->bytes.begin,
                          .bytes = static_cast<std::uint32_t>(piece->bytes.size())};
      TRY(frames_.write({.type = number(FileFrame::read), .tag = ++asked_}, {encode(read)}, kWait));
      in_flight.push_back(*piece);
    }
    if (in_flight.empty() && (!make_room_ || !pieces.next())) return {};
    if (in_flight.empty()) return Error(Errc::busy, "others are waiting for that node's files");
    if (stop) return Error(Errc::cancelled, "fetching was stopped");
    const FrameHeader header = TRY(next());
    const FileRange piece = in_flight.front();
    in_flight.pop_front();
    if (header.type != number(FileFrame::data) || header.tag != ++answered_ ||
        header.payload_bytes != piece.bytes.size())
      return Error(Errc::corrupt, fmt::format("frame {} of type {} with {} bytes, expected the {} "
                                              "bytes of read {}",
                                              header.tag, header.type, header.payload_bytes,
                                              piece.bytes.size(), answered_));
    make_room_ = make_room_ || (header.flags & kMakeRoom) != 0;
    buffer_.resize(piece.bytes.size());
    TRY(frames_.read_payload(buffer_, kWait));
    TRY(sink(piece, buffer_));
  }
}

}  // namespace drystone

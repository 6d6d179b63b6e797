#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "net/data_stream.h"

namespace drystone {

// What stands before each frame's payload: 16 bytes, little endian, docs/formats/net.md. The
// meaning of `type`, `flags` and `tag` is that of whoever speaks; type 0 is never used, so that
// zeroes are no frame.
struct FrameHeader {
  static constexpr std::size_t kBytes = 16;
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t tag = 0;  // which stream, step or request of the connection
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

std::array<std::byte, FrameHeader::kBytes> encode(const FrameHeader& header);

// Errors: corrupt (type 0, or more than `payload_bytes_max`).
Result<FrameHeader> decode_frame_header(std::span<const std::byte, FrameHeader::kBytes> bytes,
                                        std::uint32_t payload_bytes_max);

// Frames on a stream. One thread may write while another reads. Borrows the stream for its life.
class FrameStream {
 public:
  struct Options {
    std::uint32_t payload_bytes_max;  // of a frame, both ways
  };
  static constexpr std::size_t kPartsMax = 8;

  FrameStream(DataStream& stream, Options options) : stream_(stream), options_(options) {}

  // Writes one frame: the header, its payload_bytes set from the parts, and the parts behind each
  // other. CHECK: at most kPartsMax parts, type not 0. Errors: invalid_argument (larger than
  // payload_bytes_max; nothing was written), those of DataStream::write.
  Result<void> write(FrameHeader header, DataStream::Parts parts, StreamWait wait);
  Result<void> write(FrameHeader header, std::initializer_list<std::span<const std::byte>> parts,
                     StreamWait wait) {
    return write(header, DataStream::Parts(parts.begin(), parts.size()), wait);
  }

  // The next frame's header. What is left of the payload before it is skipped. Errors: those of
  // DataStream::read (closed: a goodbye between two frames; io: in the midst of one), corrupt.
  Result<FrameHeader> read_header(StreamWait wait);

  // The next bytes of the payload, straight into the caller's buffer: all at once or in pieces.
  // CHECK: no more than payload_left(). Errors: as read_header().
  Result<void> read_payload(std::span<std::byte> into, StreamWait wait);
  std::size_t payload_left() const { return payload_left_; }

  // The rest of the payload, in a vector. Errors: as read_header().
  Result<std::vector<std::byte>> read_rest(StreamWait wait);

  DataStream& stream() { return stream_; }

 private:
  Result<void> skip_rest(StreamWait wait);

  DataStream& stream_;
  Options options_;
  std::size_t payload_left_ = 0;
};

}  // namespace drystone

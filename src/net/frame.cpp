#include "net/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "net/wire.h"

namespace drystone {

std::array<std::byte, FrameHeader::kBytes> encode(const FrameHeader& header) {
  std::array<std::byte, FrameHeader::kBytes> bytes;
  std::memcpy(bytes.data(), &header.type, 2);
  std::memcpy(bytes.data() + 2, &header.flags, 2);
  std::memcpy(bytes.data() + 4, &header.payload_bytes, 4);
  std::memcpy(bytes.data() + 8, &header.tag, 8);
  return bytes;
}

Result<FrameHeader> decode_frame_header(std::span<const std::byte, FrameHeader::kBytes> bytes,
                                        std::uint32_t payload_bytes_max) {
  WireReader reader(bytes);
  FrameHeader header;
  header.type = reader.u16();
  header.flags = reader.u16();
  header.payload_bytes = reader.u32();
  header.tag = reader.u64();
  if (header.type == 0) return Error(Errc::corrupt, "a frame of type 0");
  if (header.payload_bytes > payload_bytes_max)
    return Error(Errc::corrupt,
                 fmt::format("a frame of type {} with {} bytes, at most {} are allowed here",
                             header.type, header.payload_bytes, payload_bytes_max));
  return header;
}

Result<void> FrameStream::write(FrameHeader header, DataStream::Parts parts, StreamWait wait) {
  CHECK(header.type != 0 && parts.size() <= kPartsMax, header.type, parts.size());
  std::array<std::span<const std::byte>, kPartsMax + 1> all;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    all[i + 1] = parts[i];
    bytes += parts[i].size();
  }
  if (bytes > options_.payload_bytes_max)
    return Error(Errc::invalid_argument,
                 fmt::format("a frame of type {} with {} bytes, at most {} are allowed here",
                             header.type, bytes, options_.payload_bytes_max));
  header.payload_bytes = static_cast<std::uint32_t>(bytes);
  const auto head = encode(header);
  all[0] = head;
  return stream_.write(DataStream::Parts(all.data(), parts.size() + 1), wait);
}

Result<FrameHeader> FrameStream::read_header(StreamWait wait) {
  TRY(skip_rest(wait));
  std::array<std::byte, FrameHeader::kBytes> bytes;
  TRY(stream_.read(bytes, wait));
  auto header = decode_frame_header(bytes, options_.payload_bytes_max);
  if (!header) return std::move(header).error().with("reading from " + stream_.peer().address);
  payload_left_ = header->payload_bytes;
  return header;
}

Result<void> FrameStream::read_payload(std::span<std::byte> into, StreamWait wait) {
  CHECK(into.size() <= payload_left_, into.size(), payload_left_);
  auto read = stream_.read(into, wait);
  if (read.is(Errc::closed))  // a goodbye, but not between two frames
    return Error(Errc::io, read.error().message() + " in the midst of a frame");
  if (read) payload_left_ -= into.size();
  return read;
}

Result<std::vector<std::byte>> FrameStream::read_rest(StreamWait wait) {
  std::vector<std::byte> rest(payload_left_);
  TRY(read_payload(rest, wait));
  return rest;
}

Result<void> FrameStream::skip_rest(StreamWait wait) {
  std::array<std::byte, 4096> unwanted;
  while (payload_left_ > 0)
    TRY(read_payload(std::span(unwanted).first(std::min(unwanted.size(), payload_left_)), wait));
  return {};
}

}  // namespace drystone

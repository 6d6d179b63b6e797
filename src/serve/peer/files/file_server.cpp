#include "serve/peer/files/file_server.h"

#include <fmt/format.h>

#include <vector>

#include "net/frame.h"
#include "serve/peer/files/file_wire.h"

namespace drystone {
namespace {

class Session {
 public:
  Session(DataStream& stream, std::atomic<bool>& others_wait)
      : frames_(stream, {.payload_bytes_max = kFileFrameMax}), others_wait_(others_wait) {}

  Result<void> run(const FileServer::Find& find) {
    const FrameHeader header = TRY(next(FileFrame::open));
    static_cast<void>(header);
    const auto payload = TRY(frames_.read_rest(kRead));
    auto files = find(TRY(decode_open(payload)));
    if (!files) return refuse(files.error());
    TRY(write(FileFrame::files, 0, encode((*files)->files())));
    while (true) TRY(answer(**files));
  }

  Result<void> refuse(const Error& error) {
    TRY(write(FileFrame::failed, 0, encode_failed(error)));
    return error;
  }

 private:
  static constexpr StreamWait kRead{.within = FileServer::kIdleWithin};
  static constexpr StreamWait kWrite{.within = FileServer::kWriteWithin};

  Result<FrameHeader> next(FileFrame expected) {
    const FrameHeader header = TRY(frames_.read_header(kRead));
    if (header.type != static_cast<std::uint16_t>(expected) || header.flags != 0)
      return Error(Errc::corrupt, fmt::format("a frame of type {}", header.type));
    return header;
  }

  Result<void> answer(const WholeFiles& files) {
    const FrameHeader header = TRY(next(FileFrame::read));
    const auto payload = TRY(frames_.read_rest(kRead));
    const FileRead read = TRY(decode_read(payload));
    if (read.file >= files.files().size() ||
        read.offset + read.bytes > files.files()[read.file].size)
      return Error(Errc::corrupt, "a range beyond the end of a file");
    buffer_.resize(read.bytes);
    if (const auto filled = files.read(read.file, read.offset, buffer_); !filled)
      return refuse(filled.error());
    given_ += read.bytes;
    const bool turn_is_over = given_ >= FileServer::kTurnBytes && others_wait_.exchange(false);
    return write(FileFrame::data, header.tag, buffer_, turn_is_over ? kMakeRoom : 0);
  }

  Result<void> write(FileFrame type, std::uint64_t tag, std::span<const std::byte> payload,
                     std::uint16_t flags = 0) {
    return frames_.write({.type = static_cast<std::uint16_t>(type), .flags = flags, .tag = tag},
                         {payload}, kWrite);
  }

  FrameStream frames_;
  std::atomic<bool>& others_wait_;
  Bytes given_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace

void FileServer::serve(std::unique_ptr<DataStream> stream) {
  Session session(*stream, others_wait_);
  struct Place {  // given back also where memory runs out
    explicit Place(std::atomic<int>& taken) : taken(taken), before(taken++) {}
    ~Place() { --taken; }
    std::atomic<int>& taken;
    const int before;
  };
  const Place place(sessions_);
  // The end of a session is the client's goodbye, or its own fault: nothing is left to be done.
  if (place.before < kSessionsMax) {
    static_cast<void>(session.run(find_));
  } else {
    others_wait_ = true;
    static_cast<void>(session.refuse(Error(
        Errc::busy, fmt::format("this node gives files to {} others already", kSessionsMax))));
  }
}

}  // namespace drystone

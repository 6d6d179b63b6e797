#include "serve/peer/split/stream_reducer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "cluster/plan/row_format.h"
#include "net/frame.h"
#include "serve/peer/split/stream_name.h"
#include "serve/peer/split/sum_codec.h"

namespace drystone {
namespace {

struct Share {
  std::size_t begin, end;
};

// The values of a sum that a rank adds up: whole blocks.
Share share_of(std::size_t values, std::size_t rank, std::size_t ranks) {
  const std::size_t blocks = values / kSumBlock;
  const auto border = [&](std::size_t r) { return blocks * r / ranks * kSumBlock; };
  return {border(rank), border(rank + 1)};
}

}  // namespace

StreamReducer::StreamReducer(std::vector<DataStream*> streams, Options options)
    : streams_(std::move(streams)), options_(std::move(options)), wait_{.within = {}} {
  CHECK(options_.rank < ranks() && ranks() > 1, options_.rank, ranks());
  CHECK(options_.width > 0 && options_.width % kSumBlock == 0, options_.width);
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    CHECK((streams_[rank] == nullptr) == (rank == options_.rank), rank);
  exchanges_.resize(ranks());
  came_.resize(ranks());
}

std::string StreamReducer::sum_with(std::uint32_t rank) const {
  return rank < options_.nodes.size()
             ? fmt::format("a sum with rank {} on {}", rank, options_.nodes[rank])
             : fmt::format("a sum with rank {}", rank);
}

Result<void> StreamReducer::all_reduce(std::span<float> values,
                                       const std::function<void()>& meanwhile) {
  if (lost_) return Error(Errc::unavailable, "a rank of this stage is lost");
  const bool writing = values.size() <= std::size_t{options_.writing_rows_max} * options_.width;
  wait_ = writing ? StreamWait{.within = options_.writing_within,
                               .spin = options_.spin,
                               .meanwhile = meanwhile ? &meanwhile : nullptr}
                  : StreamWait{.within = options_.reading_within};
  auto done = ranks() == 2                                          ? pair(values)
              : sum_bytes(values.size()) <= options_.one_shot_bytes ? one_shot(values)
                                                                    : two_shot(values);
  wait_.meanwhile = nullptr;
  if (done) return done;
  lost_ = true;
  return Error(Errc::unavailable, std::move(done).error().message());
}

// Everything both ways in one call of the stream, however much it is.
Result<void> StreamReducer::pair(std::span<float> values) {
  ++round_;
  const std::uint32_t other = 1 - options_.rank;
  const std::size_t bytes = sum_bytes(values.size());
  make_room(FrameHeader::kBytes + bytes);
  const std::span<std::byte> own = came_[options_.rank], theirs = came_[other];
  const auto header = header_of(bytes);
  std::ranges::copy(header, own.begin());
  const auto own_values = own.subspan(FrameHeader::kBytes);
  encode_sum(values, own_values);
  const std::span<const std::byte> part = own;
  if (auto done = streams_[other]->exchange({&part, 1}, theirs, wait_); !done)
    return std::move(done).error().with(sum_with(other));
  TRY(check_header(other, theirs.first<FrameHeader::kBytes>(), bytes));
  decode_sum(own_values, theirs.subspan(FrameHeader::kBytes), values);  // either order is equal
  return {};
}

Result<void> StreamReducer::one_shot(std::span<float> values) {
  make_room(sum_bytes(values.size()));
  encode_sum(values, came_[options_.rank]);
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    exchanges_[rank] = {.out = came_[options_.rank], .in = came_[rank]};
  TRY(exchange());
  add_up(values);
  // As two_shot rounds them, so that a row's bits do not depend on how many rows go with it.
  encode_sum(values, came_[options_.rank]);
  decode_sum(came_[options_.rank], values);
  return {};
}

Result<void> StreamReducer::two_shot(std::span<float> values) {
  sums_.resize(sum_bytes(values.size()));
  encode_sum(values, sums_);
  const auto bytes_of = [&](std::uint32_t rank) {
    const Share share = share_of(values.size(), rank, ranks());
    return std::span(sums_).subspan(sum_bytes(share.begin), sum_bytes(share.end - share.begin));
  };
  const Share own = share_of(values.size(), options_.rank, ranks());
  make_room(bytes_of(options_.rank).size());
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    exchanges_[rank] = {.out = bytes_of(rank), .in = came_[rank]};
  TRY(exchange());
  std::ranges::copy(bytes_of(options_.rank), came_[options_.rank].begin());
  const std::span<float> own_values = values.subspan(own.begin, own.end - own.begin);
  add_up(own_values);
  encode_sum(own_values, bytes_of(options_.rank));
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    exchanges_[rank] = {.out = bytes_of(options_.rank), .in = bytes_of(rank)};
  TRY(exchange());
  decode_sum(sums_, values);
  return {};
}

void StreamReducer::make_room(std::size_t bytes) {
  for (std::vector<std::byte>& part : came_) part.resize(bytes);
}

std::array<std::byte, FrameHeader::kBytes> StreamReducer::header_of(std::size_t bytes) const {
  return encode(FrameHeader{.type = static_cast<std::uint16_t>(PeerFrame::partial),
                            .payload_bytes = static_cast<std::uint32_t>(bytes),
                            .tag = round_});
}

Result<void> StreamReducer::check_header(std::uint32_t rank,
                                         std::span<const std::byte, FrameHeader::kBytes> bytes,
                                         std::size_t expected) const {
  const auto header = decode_frame_header(bytes, std::numeric_limits<std::uint32_t>::max());
  if (!header) return Error(header.error()).with(sum_with(rank));
  if (header->type != static_cast<std::uint16_t>(PeerFrame::partial) || header->tag != round_ ||
      header->payload_bytes != expected)
    return Error(Errc::corrupt, fmt::format("expected {} bytes of round {}, it sent {} of round {}",
                                            expected, round_, header->payload_bytes, header->tag))
        .with(sum_with(rank));
  return {};
}

// Everybody writes a piece to each, and reads the one before from each.
Result<void> StreamReducer::exchange() {
  ++round_;
  std::size_t bytes = 1;
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    if (rank != options_.rank)
      bytes = std::max({bytes, exchanges_[rank].out.size(), exchanges_[rank].in.size()});
  const std::size_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  for (std::size_t piece = 0; piece <= pieces; ++piece) {
    if (piece < pieces)
      for (std::uint32_t rank = 0; rank < ranks(); ++rank)
        if (rank != options_.rank) TRY(write_piece(rank, piece * kPieceBytes));
    if (piece > 0)
      for (std::uint32_t rank = 0; rank < ranks(); ++rank)
        if (rank != options_.rank) TRY(read_piece(rank, (piece - 1) * kPieceBytes));
  }
  return {};
}

Result<void> StreamReducer::write_piece(std::uint32_t rank, std::size_t at) {
  const std::span<const std::byte> out = exchanges_[rank].out;
  const auto piece = out.subspan(std::min(at, out.size()),
                                 std::min(kPieceBytes, out.size() - std::min(at, out.size())));
  if (at > 0 && piece.empty()) return {};
  const auto header = header_of(out.size());
  const std::array<std::span<const std::byte>, 2> parts = {std::span(header), piece};
  auto written = streams_[rank]->write(DataStream::Parts(parts).subspan(at == 0 ? 0 : 1), wait_);
  if (!written) return std::move(written).error().with(sum_with(rank));
  return {};
}

Result<void> StreamReducer::read_piece(std::uint32_t rank, std::size_t at) {
  const std::span<std::byte> in = exchanges_[rank].in;
  if (at == 0) {
    std::array<std::byte, FrameHeader::kBytes> bytes;
    if (auto read = streams_[rank]->read(bytes, wait_); !read)
      return std::move(read).error().with(sum_with(rank));
    TRY(check_header(rank, bytes, in.size()));
  }
  if (at >= in.size()) return {};
  if (auto read =
          streams_[rank]->read(in.subspan(at, std::min(kPieceBytes, in.size() - at)), wait_);
      !read)
    return std::move(read).error().with(sum_with(rank));
  return {};
}

void StreamReducer::add_up(std::span<float> values) const {
  decode_sum(came_[0], values);
  for (std::uint32_t rank = 1; rank < ranks(); ++rank) add_sum(came_[rank], values);
}

}  // namespace drystone

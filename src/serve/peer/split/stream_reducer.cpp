#include "serve/peer/split/stream_reducer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "net/frame.h"
#include "serve/peer/split/stream_name.h"

namespace drystone {
namespace {

// Shares of a sum begin at multiples of so many values: whole cache lines.
constexpr std::size_t kGrain = 16;

// Values [begin, end) of a sum that a rank adds up.
std::span<float> share_of(std::span<float> values, std::size_t rank, std::size_t ranks) {
  const std::size_t grains = (values.size() + kGrain - 1) / kGrain;
  const auto border = [&](std::size_t r) {
    return std::min(values.size(), grains * r / ranks * kGrain);
  };
  return values.subspan(border(rank), border(rank + 1) - border(rank));
}

}  // namespace

StreamReducer::StreamReducer(std::vector<DataStream*> streams, Options options)
    : streams_(std::move(streams)), options_(std::move(options)), wait_{.within = {}} {
  CHECK(options_.rank < ranks() && ranks() > 1 && options_.width > 0, options_.rank, ranks());
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    CHECK((streams_[rank] == nullptr) == (rank == options_.rank), rank);
  exchanges_.resize(ranks());
  came_.resize(ranks());
  received_.resize(ranks());
}

std::string StreamReducer::sum_with(std::uint32_t rank) const {
  return rank < options_.nodes.size()
             ? fmt::format("a sum with rank {} on {}", rank, options_.nodes[rank])
             : fmt::format("a sum with rank {}", rank);
}

Result<void> StreamReducer::all_reduce(std::span<float> values) {
  if (lost_) return Error(Errc::unavailable, "a rank of this stage is lost");
  const bool writing = values.size() <= std::size_t{options_.writing_rows_max} * options_.width;
  wait_ = writing ? StreamWait{.within = options_.writing_within, .spin = options_.spin}
                  : StreamWait{.within = options_.reading_within};
  auto done = ranks() == 2                                     ? pair(values)
              : values.size_bytes() <= options_.one_shot_bytes ? one_shot(values)
                                                               : two_shot(values);
  if (done) return done;
  lost_ = true;
  return Error(Errc::unavailable, std::move(done).error().message());
}

// Everything both ways in one call of the stream, however much it is.
Result<void> StreamReducer::pair(std::span<float> values) {
  ++round_;
  const std::uint32_t other = 1 - options_.rank;
  constexpr std::size_t kHeaderFloats = FrameHeader::kBytes / sizeof(float);
  std::vector<float>& came = came_[other];
  came.resize(kHeaderFloats + values.size());
  const auto header = header_of(values.size_bytes());
  const std::array<std::span<const std::byte>, 2> parts = {std::span(header),
                                                           std::as_bytes(values)};
  const auto in = std::as_writable_bytes(std::span(came));
  if (auto done = streams_[other]->exchange(parts, in, wait_); !done)
    return std::move(done).error().with(sum_with(other));
  TRY(check_header(other, in.first<FrameHeader::kBytes>(), values.size_bytes()));
  const float* theirs = came.data() + kHeaderFloats;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += theirs[i];  // either order is equal
  return {};
}

Result<void> StreamReducer::one_shot(std::span<float> values) {
  for (std::uint32_t rank = 0; rank < ranks(); ++rank) {
    if (rank == options_.rank) continue;
    came_[rank].resize(values.size());
    received_[rank] = came_[rank];
    exchanges_[rank] = {.out = values, .in = received_[rank]};
  }
  TRY(exchange());
  add_up(values, received_);
  return {};
}

Result<void> StreamReducer::two_shot(std::span<float> values) {
  const std::span<float> own = share_of(values, options_.rank, ranks());
  for (std::uint32_t rank = 0; rank < ranks(); ++rank) {
    if (rank == options_.rank) continue;
    came_[rank].resize(own.size());
    received_[rank] = came_[rank];
    exchanges_[rank] = {.out = share_of(values, rank, ranks()), .in = received_[rank]};
  }
  TRY(exchange());
  add_up(own, received_);
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    if (rank != options_.rank)
      exchanges_[rank] = {.out = own, .in = share_of(values, rank, ranks())};
  return exchange();
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
      bytes =
          std::max({bytes, exchanges_[rank].out.size_bytes(), exchanges_[rank].in.size_bytes()});
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
  const auto out = std::as_bytes(exchanges_[rank].out);
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
  const auto in = std::as_writable_bytes(exchanges_[rank].in);
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

void StreamReducer::add_up(std::span<float> own, std::span<const std::span<float>> others) {
  const auto values_of = [&](std::uint32_t rank) {
    return rank == options_.rank ? own : others[rank];
  };
  sum_.resize(own.size());
  std::ranges::copy(values_of(0), sum_.begin());
  for (std::uint32_t rank = 1; rank < ranks(); ++rank) {
    const float* values = values_of(rank).data();
    float* sum = sum_.data();
    for (std::size_t i = 0; i < own.size(); ++i) sum[i] += values[i];
  }
  std::ranges::copy(sum_, own.begin());
}

}  // namespace drystone

#pragma once

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "compute/reducer.h"
#include "net/data_stream.h"
#include "net/frame.h"

namespace drystone {

// Sums over the ranks of a stage, by a stream between each two of them. Two ranks, and small sums
// of more, exchange all they have at once. Larger sums are divided: each rank adds up its share of
// the indices and tells the others. Either way values are added in the order of ranks, each as it
// stood on the wire (sum_codec.h), one's own as well.
class StreamReducer final : public Reducer {
 public:
  // What a stream may hold that was written and not yet read, at least: both sides write before
  // they read, in pieces, and are never further ahead than this.
  static constexpr std::size_t kPieceBytes = 16 * 1024, kUnreadBytesMax = 4 * kPieceBytes + 64;

  struct Options {
    std::uint32_t rank = 0;
    std::uint32_t width = 1;                 // values of a row: d_model
    std::size_t one_shot_bytes = 64 * 1024;  // of a rank's part as it stands on the wire
    // Sums of at most so many rows are of steps that write: waits for them spin, and are short.
    std::uint32_t writing_rows_max = 16;
    std::chrono::nanoseconds spin = std::chrono::microseconds(200);
    // After which a rank that gives nothing is lost. Links find lost nodes sooner (link.h), and
    // then close these streams.
    std::chrono::nanoseconds writing_within = std::chrono::seconds(3);
    std::chrono::nanoseconds reading_within = std::chrono::seconds(60);
    std::vector<std::string> nodes = {};  // by rank, for errors; empty: not told
  };
  // `streams`: by rank, null at one's own place; borrowed.
  StreamReducer(std::vector<DataStream*> streams, Options options);

  std::uint32_t rank() const override { return options_.rank; }
  std::uint32_t ranks() const override { return static_cast<std::uint32_t>(streams_.size()); }
  Result<void> all_reduce(std::span<float> values, const std::function<void()>& meanwhile) override;

 private:
  // What goes to a rank and what comes from it in one round.
  struct Exchange {
    std::span<const std::byte> out;
    std::span<std::byte> in;
  };
  std::string sum_with(std::uint32_t rank) const;
  Result<void> pair(std::span<float> values);  // of two ranks
  Result<void> one_shot(std::span<float> values);
  Result<void> two_shot(std::span<float> values);
  std::array<std::byte, FrameHeader::kBytes> header_of(std::size_t bytes) const;
  // Errors: corrupt.
  Result<void> check_header(std::uint32_t rank,
                            std::span<const std::byte, FrameHeader::kBytes> bytes,
                            std::size_t expected) const;
  Result<void> exchange();  // of exchanges_
  Result<void> write_piece(std::uint32_t rank, std::size_t at);
  Result<void> read_piece(std::uint32_t rank, std::size_t at);
  // values = the sum of came_ over the ranks.
  void add_up(std::span<float> values) const;
  // Room for `bytes` in came_ of all ranks.
  void make_room(std::size_t bytes);

  const std::vector<DataStream*> streams_;
  const Options options_;
  std::uint64_t round_ = 0;
  StreamWait wait_;
  std::vector<Exchange> exchanges_;           // by rank
  std::vector<std::vector<std::byte>> came_;  // by rank; one's own part at one's own place
  std::vector<std::byte> sums_;               // of two_shot: what all ranks' shares add up to
  bool lost_ = false;
};

}  // namespace drystone

#include "model/quantize/quantize_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "compute/blocks/quantize.h"

namespace drystone {
namespace {

constexpr Bytes kPieceBytes = 8 * kMiB;

bool all_finite(const float* x, std::uint64_t n) {
  bool finite = true;
  for (std::uint64_t i = 0; i < n; ++i) finite &= x[i] - x[i] == 0;
  return finite;
}

}  // namespace

Result<void> quantize_rows(ThreadPool& pool, const RowBlock& block, const RowMaker& make_row,
                           const ByteSink& sink) {
  const Bytes bytes = row_bytes(block.type, block.cols);
  const std::uint64_t piece_rows = std::clamp<std::uint64_t>(kPieceBytes / bytes, 1, block.rows);
  std::vector<std::byte> piece(piece_rows * bytes);
  std::atomic<std::uint64_t> damaged_row = block.rows;
  for (std::uint64_t first = 0; first < block.rows; first += piece_rows) {
    const std::uint64_t count = std::min(piece_rows, block.rows - first);
    pool.for_ranges(static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> row(block.cols);
      for (auto i = static_cast<std::uint64_t>(begin); i < static_cast<std::uint64_t>(end); ++i) {
        make_row(first + i, row.data());
        if (!all_finite(row.data(), block.cols)) {
          damaged_row = first + i;
          return;
        }
        quantize_row(block.type, row.data(), piece.data() + i * bytes, block.cols, nullptr);
      }
    });
    if (damaged_row != block.rows)
      return Error(Errc::corrupt,
                   fmt::format("row {} holds an infinity or NaN", damaged_row.load()));
    TRY(sink({piece.data(), count * bytes}));
  }
  return {};
}

}  // namespace drystone

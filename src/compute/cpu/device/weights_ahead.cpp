#include "compute/cpu/device/weights_ahead.h"

#include <algorithm>

namespace drystone {
namespace {

constexpr Bytes kLineBytes = 64;

Bytes bytes_of(const PackedMatrix& matrix) {  // of views, too
  return PackedMatrix::packed_bytes(matrix.type(), matrix.rows(), matrix.cols());
}

// Into the second level: a step is more than the first one holds.
void ask_for(const std::byte* begin, const std::byte* end) {
  for (const std::byte* line = begin; line < end; line += kLineBytes)
    __builtin_prefetch(line, 0, 2);
}

}  // namespace

void WeightsAhead::begin(std::span<const PackedMatrix* const> weights) {
  weights_ = weights;
  Bytes total = 0;
  for (const PackedMatrix* matrix : weights) total += bytes_of(*matrix);
  const Bytes threads = readers_.size();
  for (Bytes thread = 0; thread < threads; ++thread) {
    const Bytes first = total * thread / threads / kLineBytes * kLineBytes;
    readers_[thread] = {first,
                        std::min(first + kBytesMax / threads, total * (thread + 1) / threads)};
  }
}

bool WeightsAhead::step(int thread) {
  Reader& reader = readers_[static_cast<std::size_t>(thread)];
  const Bytes begin = reader.at, end = std::min(begin + kStepBytes, reader.end);
  if (begin >= end) return false;
  reader.at = end;
  Bytes first = 0;
  for (const PackedMatrix* matrix : weights_) {
    const Bytes bytes = bytes_of(*matrix);
    if (begin < first + bytes && first < end)
      ask_for(matrix->data() + (std::max(begin, first) - first),
              matrix->data() + (std::min(end, first + bytes) - first));
    first += bytes;
  }
  return true;
}

}  // namespace drystone

#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "compute/dtype.h"
#include "compute/thread_pool.h"

namespace drystone {

// Makes row `row` as f32 [cols]; called from all threads at once.
using RowMaker = std::function<void(std::uint64_t row, float* out)>;
// Takes the bytes of the next rows.
using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;

// Makes and quantizes `rows` rows of `cols` weights on all threads and hands them to `sink` in
// order, some megabytes at a time, which is all the memory it takes. The bytes do not depend on the
// number of threads. Errors: corrupt  a row holds an infinity or NaN; those of `sink`.
struct RowBlock {
  DType type;
  std::uint64_t rows, cols;
};
Result<void> quantize_rows(ThreadPool& pool, const RowBlock& block, const RowMaker& make_row,
                           const ByteSink& sink);

}  // namespace drystone

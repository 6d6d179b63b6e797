#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "compute/thread_pool.h"
#include "model/gguf/gguf.h"
#include "model/quantize/mixture.h"

namespace drystone {

struct QuantizeSummary {
  Bytes bytes_before = 0, bytes_after = 0;  // of the tensors
  std::uint32_t requantized =
      0;  // tensors that were quantized already, to another type: their errors add up
  std::uint32_t fallbacks = 0;  // tensors whose rows are no multiple of the type's block
};

// Writes the model `file` to `out` with its matrices in the types of `mixture`; vectors become f32,
// metadata stays. Memory: some megabytes, whatever the model's size. `progress` gets the fraction
// done, in [0, 1]; may be empty. Errors: unsupported  a tensor's type is one that is not computed
// with
//         corrupt      a weight is an infinity or NaN; names the tensor
//         io           `out` cannot be written; nothing is left there
Result<QuantizeSummary> quantize_model(const GgufFile& file, const Mixture& mixture,
                                       const std::filesystem::path& out, ThreadPool& pool,
                                       const std::function<void(double)>& progress);

}  // namespace drystone

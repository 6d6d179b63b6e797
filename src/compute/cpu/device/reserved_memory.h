#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// Zeroed memory that is really there: every page is touched at reservation, so that no later step
// can run out of it.
class ReservedMemory {
 public:
  // `what` names it in the error. Errors: out_of_memory.
  static Result<ReservedMemory> reserve(Bytes bytes, std::string_view what);

  ReservedMemory() = default;
  ReservedMemory(ReservedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ReservedMemory();

  std::byte* data() const { return data_; }  // aligned to a page
  Bytes bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  Bytes bytes_ = 0;
};

// Memory that the system could give now without swapping, within the limits of our control group.
// Errors: io.
Result<Bytes> available_memory();

}  // namespace drystone

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace drystone {

// How the hidden states of a text become one vector: their mean, or that of the last token, the
// only one that has seen all of a text in a decoder.
enum class Pooling { mean, last };

// Pools the hidden states of one text as they come, in chunks of any size. Sums are taken row by
// row, so the chunks do not show in the bits.
class HiddenPool {
 public:
  HiddenPool(Pooling pooling, std::uint32_t width) : pooling_(pooling), width_(width) {}

  Pooling pooling() const { return pooling_; }
  // f32 [any, width], in the order of the text.
  void add(std::span<const float> rows);
  // Begins again: the text is computed anew.
  void clear() { sums_.clear(), rows_ = 0; }
  // f32 [width]. At least one row was added.
  std::vector<float> vector() const;

 private:
  Pooling pooling_;
  std::uint32_t width_;
  std::vector<double> sums_;  // of `last`: the newest row
  std::uint64_t rows_ = 0;
};

// The first `size` values (at most all), scaled to a length of 1. Zeros stay zeros.
std::vector<float> unit_vector(std::span<const float> values, std::size_t size);

}  // namespace drystone

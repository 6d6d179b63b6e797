#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/plan/row_format.h"

namespace drystone {

// The bytes of f32 rows [values.size() / width, width]: of f32 the values themselves, else written
// into `scratch`. Valid as long as both.
std::span<const std::byte> encode_rows(RowFormat format, std::span<const float> values,
                                       std::size_t width, std::vector<std::byte>& scratch);

// Fills `values` [rows, width] from as many rows of bytes (not f32, which is read in place).
void decode_rows(RowFormat format, std::span<const std::byte> bytes, std::size_t width,
                 std::span<float> values);

}  // namespace drystone

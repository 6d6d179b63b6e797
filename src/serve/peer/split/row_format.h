#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace drystone {

// How hidden rows stand on the wire. f32 keeps every bit, and with it the promise that a split
// model writes the text of a whole one (design.md, decision 12); the others are for slow links.
//   f16  values beyond +-65504 become that
//   q8   per row, blocks of 32 values (the last of a row may have fewer): an f16 scale, then an i8
//        each
enum class RowFormat : std::uint8_t { f32 = 0, f16 = 1, q8 = 2 };

// Bytes of one row of `width` values.
std::size_t wire_row_bytes(RowFormat format, std::size_t width);

// The bytes of f32 rows [values.size() / width, width]: of f32 the values themselves, else written
// into `scratch`. Valid as long as both.
std::span<const std::byte> encode_rows(RowFormat format, std::span<const float> values,
                                       std::size_t width, std::vector<std::byte>& scratch);

// Fills `values` [rows, width] from as many rows of bytes (not f32, which is read in place).
void decode_rows(RowFormat format, std::span<const std::byte> bytes, std::size_t width,
                 std::span<float> values);

}  // namespace drystone

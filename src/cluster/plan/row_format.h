#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace drystone {

// How hidden rows stand on the wire between stages. f32 keeps every bit, and with it the promise
// that a split model writes the text of a whole one; the others are for slow links.
//   f16  values beyond +-65504 become that
//   q8   per row, blocks of 32 values (the last of a row may have fewer): an f16 scale, then an i8
//        each
enum class RowFormat : std::uint8_t { f32 = 0, f16 = 1, q8 = 2 };

std::string_view to_string(RowFormat format);
Result<RowFormat> row_format_from(std::string_view name);  // Errors: invalid_argument.

// Bytes of one row of `width` values.
Bytes row_bytes(RowFormat format, Bytes width);

// Ranks of a stage send their parts of a sum in blocks of so many values: an f32 scale, then an i16
// each (serve/peer/split/sum_codec.h). Rows of models that are cut are multiples of it.
constexpr Bytes kSumBlock = 32;
constexpr Bytes sum_bytes(Bytes values) { return values / kSumBlock * (4 + 2 * kSumBlock); }

}  // namespace drystone

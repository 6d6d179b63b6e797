#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "compute/dtype.h"

// The packed layout of weights, the same on every instruction set and with the same bytes per
// weight as the file.
//
// A panel is 16 consecutive output rows. The bytes of each block of a row are cut into units of 4
// bytes (of one element for f32, f16, bf16), and the units of the 16 rows stand side by side: one
// 64-byte load holds the same 4 bytes of 16 rows. A dot-product instruction then sums 4 consecutive
// inputs for each of 16 outputs, and nothing is ever summed across lanes. What is left of a block
// beside its whole units (a 2-byte scale, a 1-byte exponent) is its tail; as many blocks as fill 64
// bytes with the tails of 16 rows are a group, and their tails stand before their units. So a
// product reads a panel line by line, forwards: some processors foresee only that.
//
//   panel = groups [blocks / group blocks, rounded up]
//   group = tails [group blocks][16 rows][tail bytes], 64 bytes (none for types without)
//         | units [group blocks][units per block][16 rows][unit bytes]
//
// The last group of a panel may have fewer blocks, with fewer units; a panel fills 64 bytes.
// Rows beyond the last are zero.

namespace drystone {

constexpr std::uint32_t kPanelRows = 16;

struct PanelLayout {
  std::uint32_t block_elems, block_bytes;
  std::uint32_t unit_bytes;   // 4, or 2 for f16 and bf16
  std::uint32_t units;        // per block
  std::uint32_t tail_bytes;   // per block: 0, 1 or 2
  std::uint32_t tail_offset;  // in the file's block; the units are the other bytes in order

  std::uint32_t group_blocks() const { return tail_bytes > 0 ? 64 / (tail_bytes * kPanelRows) : 1; }
  Bytes block_units_bytes() const { return Bytes{units} * unit_bytes * kPanelRows; }
  // Where the units and the tails of a block of 16 rows begin in the panel.
  Bytes units_at(std::uint32_t block) const {
    return block * block_units_bytes() + (tail_bytes > 0 ? block / group_blocks() * 64 + 64 : 0);
  }
  Bytes tails_at(std::uint32_t block) const {
    const std::uint32_t first = block / group_blocks() * group_blocks();
    return units_at(first) - (tail_bytes > 0 ? 64 : 0) +
           Bytes{block - first} * tail_bytes * kPanelRows;
  }
  Bytes panel_bytes(std::uint32_t cols) const {
    const Bytes blocks = cols / block_elems;
    const Bytes groups = tail_bytes > 0 ? (blocks + group_blocks() - 1) / group_blocks() : 0;
    return (blocks * block_units_bytes() + groups * 64 + 63) / 64 * 64;
  }
};

// `type` must be a computed type.
PanelLayout panel_layout(DType type);

// Packs rows [0, rows) (at most 16) of `source`, rows `row_bytes(type, cols)` apart, into one
// panel.
void pack_panel(DType type, const std::byte* source, std::uint32_t rows, std::uint32_t cols,
                std::byte* panel);

// The bytes of one row as they stood in the file.
void unpack_panel_row(DType type, const std::byte* panel, std::uint32_t row, std::uint32_t cols,
                      std::byte* out);

}  // namespace drystone

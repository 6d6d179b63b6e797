#include "compute/cpu/matmul/layout.h"

#include <cstring>

#include "base/check.h"

namespace drystone {
namespace {

// Q5_0 and Q5_1 keep the fifth bits of 32 elements in one word, element k in bit k. Packed, element
// 4j + b is in bit 8b + j, so that a shift by j and a mask bring the bits of a unit's 4 elements to
// its 4 bytes.
std::uint32_t spread_high_bits(std::uint32_t bits) {
  std::uint32_t out = 0;
  for (std::uint32_t k = 0; k < 32; ++k) out |= (bits >> k & 1u) << (8 * (k % 4) + k / 4);
  return out;
}

std::uint32_t gather_high_bits(std::uint32_t bits) {
  std::uint32_t out = 0;
  for (std::uint32_t k = 0; k < 32; ++k) out |= (bits >> (8 * (k % 4) + k / 4) & 1u) << k;
  return out;
}

// Which unit of a block holds such a word; -1 for none.
int high_bits_unit(DType type) { return type == DType::q5_0 ? 0 : type == DType::q5_1 ? 1 : -1; }

// Units of one block: file bytes without the tail, cut into `unit_bytes`.
template <typename Visit>
void for_units(const PanelLayout& layout, Visit visit) {
  for (std::uint32_t u = 0; u < layout.units; ++u) {
    std::uint32_t at = u * layout.unit_bytes;
    if (layout.tail_bytes > 0 && at >= layout.tail_offset) at += layout.tail_bytes;
    visit(u, at);
  }
}

}  // namespace

PanelLayout panel_layout(DType type) {
  const DTypeInfo& info = dtype_info(type);
  CHECK(info.computed, info.name);
  PanelLayout layout{.block_elems = info.block_elems,
                     .block_bytes = info.block_bytes,
                     .unit_bytes = 4,
                     .units = 0,
                     .tail_bytes = 0,
                     .tail_offset = 0};
  switch (type) {
    case DType::f16:
    case DType::bf16:
      layout.unit_bytes = 2;
      break;
    case DType::q4_0:
    case DType::q5_0:
    case DType::q8_0:
    case DType::iq4_nl:
      layout.tail_bytes = 2;
      break;  // d stands first
    case DType::mxfp4:
      layout.tail_bytes = 1;
      break;  // the exponent stands first
    case DType::q3_k:
    case DType::q6_k:
      layout.tail_bytes = 2;  // d stands last
      layout.tail_offset = info.block_bytes - 2;
      break;
    default:
      break;
  }
  layout.units = (info.block_bytes - layout.tail_bytes) / layout.unit_bytes;
  return layout;
}

void pack_panel(DType type, const std::byte* source, std::uint32_t rows, std::uint32_t cols,
                std::byte* panel) {
  const PanelLayout layout = panel_layout(type);
  const std::uint32_t blocks = cols / layout.block_elems;
  const std::size_t row_stride = std::size_t{blocks} * layout.block_bytes;
  const std::size_t unit_stride = std::size_t{kPanelRows} * layout.unit_bytes;
  if (rows < kPanelRows) std::memset(panel, 0, layout.panel_bytes(cols));
  const int high_bits = high_bits_unit(type);

  for (std::uint32_t row = 0; row < rows; ++row) {
    const std::byte* block = source + row * row_stride;
    if (layout.unit_bytes == 2) {
      for (std::uint32_t b = 0; b < blocks; ++b)
        std::memcpy(panel + b * unit_stride + 2 * row, block + 2 * b, 2);
      continue;
    }
    for (std::uint32_t b = 0; b < blocks; ++b, block += layout.block_bytes) {
      std::byte* units = panel + layout.units_at(b) + 4 * row;
      const std::byte* from = block;
      if (layout.tail_bytes > 0) {
        std::memcpy(panel + layout.tails_at(b) + row * layout.tail_bytes,
                    block + layout.tail_offset, layout.tail_bytes);
        if (layout.tail_offset == 0) from += layout.tail_bytes;
      }
      for (std::uint32_t u = 0; u < layout.units; ++u)
        std::memcpy(units + u * unit_stride, from + 4 * u, 4);
      if (high_bits >= 0) {
        std::uint32_t bits;
        std::memcpy(&bits, units + high_bits * unit_stride, 4);
        bits = spread_high_bits(bits);
        std::memcpy(units + high_bits * unit_stride, &bits, 4);
      }
    }
  }
}

void unpack_panel_row(DType type, const std::byte* panel, std::uint32_t row, std::uint32_t cols,
                      std::byte* out) {
  const PanelLayout layout = panel_layout(type);
  const std::uint32_t blocks = cols / layout.block_elems;
  const std::size_t unit_stride = std::size_t{kPanelRows} * layout.unit_bytes;
  const int high_bits = high_bits_unit(type);
  for (std::uint32_t b = 0; b < blocks; ++b, out += layout.block_bytes) {
    const std::byte* units = panel + layout.units_at(b) + layout.unit_bytes * row;
    for_units(layout, [&](std::uint32_t u, std::uint32_t at) {
      std::memcpy(out + at, units + u * unit_stride, layout.unit_bytes);
      if (static_cast<int>(u) == high_bits) {
        std::uint32_t bits;
        std::memcpy(&bits, out + at, 4);
        bits = gather_high_bits(bits);
        std::memcpy(out + at, &bits, 4);
      }
    });
    std::memcpy(out + layout.tail_offset, panel + layout.tails_at(b) + row * layout.tail_bytes,
                layout.tail_bytes);
  }
}

}  // namespace drystone

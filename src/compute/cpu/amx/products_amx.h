#pragma once

#include <algorithm>

#include "compute/cpu/amx/tiles.h"
#include "compute/cpu/avx512/lanes.h"
#include "compute/cpu/matmul/products.h"

namespace drystone {

// Prompt rows on AMX: weights are decoded to bf16 with their scales multiplied in, kStripPanels
// panels and kChunk inputs at a time; the strip and the sums of all rows over it stay in the
// second-level cache (256 KiB and, at 512 rows, 512 KiB), a block of 32 rows x kChunk inputs in the
// first. Sums are f32 over rising k. Generated rows, and f32 weights, which bf16 would spoil, go
// the way of AVX-512.
template <typename Tiles>
struct AmxProducts {
  using L = Avx512Lanes;
  static constexpr std::uint32_t kStripPanels = 16, kChunk = 512,
                                 kStep = 32;  // kStep: k of one tile

  // bf16 [panel][step][16 k pairs][16 columns][2]: B tiles in the order of their use.
  struct Strip {
    alignas(64) std::uint16_t tiles[kStripPanels][kChunk / kStep][16 * 32];
  };

  // Two vectors of 16 columns, at k and k + 1, as one row of a B tile.
  static DRYSTONE_INLINE void store_pair(std::uint16_t* to, __m512 even, __m512 odd) {
    alignas(64) static constexpr std::uint16_t kInterleave[32] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    _mm512_store_si512(to, _mm512_permutexvar_epi16(_mm512_load_si512(kInterleave), both));
  }

  // Inputs [k, k + count) of one panel, as B tiles.
  template <typename D>
  static void decode_panel(const PanelBlocks<D>& panel_blocks, std::uint32_t k, std::uint32_t count,
                           std::uint16_t* tiles) {
    for (std::uint32_t b = k / D::kBlock; b < (k + count) / D::kBlock; ++b) {
      const D block = panel_blocks[b];
      std::uint16_t* to = tiles + (std::size_t{b} * D::kBlock - k) * kPanelRows;
      unrolled<D::kBlock / D::kSub>([&](auto sub) __attribute__((always_inline)) {
        constexpr int S = decltype(sub)::value;
        const auto scale = block.template scale<S>();
        // value = scale * code + base, with the offset of the codes or the minimum in the base.
        auto base = L::zero();
        if constexpr (D::kMinimum) base = block.template minimum<S>();
        if constexpr (D::kOffset != 0) base = L::mul(scale, L::broadcast(-D::kOffset));
        unrolled<D::kSub / 4>([&](auto step) __attribute__((always_inline)) {
          constexpr int J = decltype(step)::value;
          const auto code = block.template code<S, J>();
          const auto value =
              [&]<int kByte>(std::integral_constant<int, kByte>) __attribute__((always_inline)) {
                if constexpr (D::kSigned)
                  return L::mul(L::to_float(L::template signed_byte<kByte>(code)), scale);
                else
                  return L::fma(L::to_float(byte_of_lanes<L, kByte>(code)), scale, base);
              };
          std::uint16_t* row = to + (S * D::kSub + 4 * J) * kPanelRows;
          store_pair(row, value(std::integral_constant<int, 0>{}),
                     value(std::integral_constant<int, 1>{}));
          store_pair(row + 32, value(std::integral_constant<int, 2>{}),
                     value(std::integral_constant<int, 3>{}));
        });
      });
    }
  }

  template <DType kType>
  static void decode_float_panel(const std::byte* units, std::uint32_t k, std::uint32_t count,
                                 std::uint16_t* tiles) {
    constexpr std::size_t kUnit = kPanelRows * 2;
    for (std::uint32_t i = 0; i < count; i += 2) {
      const std::byte* w = units + (k + i) * kUnit;
      store_pair(tiles + i * kPanelRows, Products<L>::template load_weights<kType>(w),
                 Products<L>::template load_weights<kType>(w + kUnit));
    }
  }

  static void decode_strip(const PanelProduct& p, std::uint32_t panel, std::uint32_t panels,
                           std::uint32_t k, std::uint32_t count, Strip& strip) {
    const std::uint32_t cols = p.input.cols;
    for (std::uint32_t c = 0; c < panels; ++c) {
      std::uint16_t* tiles = strip.tiles[c][0];
      if (p.type == DType::f16 || p.type == DType::bf16) {
        const std::byte* units =
            p.panels + (panel + c) * ((std::size_t{cols} * 2 * kPanelRows + 63) / 64 * 64);
        if (p.type == DType::f16)
          decode_float_panel<DType::f16>(units, k, count, tiles);
        else
          decode_float_panel<DType::bf16>(units, k, count, tiles);
        continue;
      }
      with_quantized_type(p.type, [&](auto type) {
        using D = BlockDecoder<L, decltype(type)::value>;
        decode_panel<D>(PanelBlocks<D>(p.panels, panel + c, cols), k, count, tiles);
      });
    }
  }

  // Sums of 32 rows and two panels, over `steps` steps: two A tiles and two B tiles, each used
  // twice.
  //   a0, a1  A tiles of the two row blocks; b0, b1  B tiles of the panels; sums  f32 [2 row
  //   blocks][2 panels] tiles
  static DRYSTONE_INLINE void tile_block(Tiles& tiles, const std::uint16_t* a0,
                                         const std::uint16_t* a1, const std::uint16_t* b0,
                                         const std::uint16_t* b1, std::uint32_t steps,
                                         float* const (&sums)[4]) {
    tiles.template load<0>(sums[0], 64);
    tiles.template load<1>(sums[1], 64);
    tiles.template load<2>(sums[2], 64);
    tiles.template load<3>(sums[3], 64);
    for (std::uint32_t s = 0; s < steps; ++s, a0 += kTile, a1 += kTile, b0 += kTile, b1 += kTile) {
      tiles.template load<4>(a0, 64);
      tiles.template load<6>(b0, 64);
      tiles.template multiply_add<0, 4, 6>();
      tiles.template load<7>(b1, 64);
      tiles.template multiply_add<1, 4, 7>();
      tiles.template load<5>(a1, 64);
      tiles.template multiply_add<2, 5, 6>();
      tiles.template multiply_add<3, 5, 7>();
    }
    tiles.template store<0>(sums[0], 64);
    tiles.template store<1>(sums[1], 64);
    tiles.template store<2>(sums[2], 64);
    tiles.template store<3>(sums[3], 64);
  }

  static constexpr std::uint32_t kTile = 16 * 32;     // bf16 values of a tile
  static constexpr std::uint32_t kSumTile = 16 * 16;  // f32 values of a tile of sums

  static void prompt(const PanelProduct& p) {
    // Pairs of inputs need an even row of tiles; f32 weights would lose their precision.
    if (p.type == DType::f32 || p.input.cols % kStep != 0) return Products<L>::prompt(p);
    Tiles tiles;
    Strip& strip = *reinterpret_cast<Strip*>(p.scratch);
    float* const sums =
        reinterpret_cast<float*>(p.scratch + sizeof(Strip));  // [row block][panel] tiles
    const std::uint32_t rows = p.row_end - p.row_begin, blocks = (rows + 31) / 32 * 2;
    const std::uint32_t steps = p.input.cols / kStep;
    const auto sum_tile = [&](std::uint32_t block, std::uint32_t panel) {
      return sums + (std::size_t{block} * kStripPanels + panel) * kSumTile;
    };
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; panel += kStripPanels) {
      const std::uint32_t panels = std::min(kStripPanels, p.panel_end - panel);
      std::memset(sums, 0, std::size_t{blocks} * kStripPanels * kSumTile * sizeof(float));
      for (std::uint32_t k = 0; k < p.input.cols; k += kChunk) {
        const std::uint32_t count = std::min(kChunk, p.input.cols - k);
        decode_strip(p, panel, panels, k, count, strip);
        for (std::uint32_t block = 0; block < blocks; block += 2) {
          const std::uint16_t* a0 = p.input.bf16 + (std::size_t{block} * steps + k / kStep) * kTile;
          const std::uint16_t* a1 = a0 + std::size_t{steps} * kTile;
          for (std::uint32_t c = 0; c < panels; c += 2) {
            const std::uint32_t other =
                std::min(c + 1, kStripPanels - 1);  // beyond the last panel: never stored
            float* const four[4] = {sum_tile(block, c), sum_tile(block, other),
                                    sum_tile(block + 1, c), sum_tile(block + 1, other)};
            tile_block(tiles, a0, a1, strip.tiles[c][0], strip.tiles[other][0], count / kStep,
                       four);
          }
        }
      }
      for (std::uint32_t r = 0; r < rows; ++r)
        for (std::uint32_t c = 0; c < panels; ++c)
          Products<L>::store_outputs(p, panel + c, p.row_begin + r,
                                     L::load_f32(sum_tile(r / 16, c) + std::size_t{r % 16} * 16));
    }
  }

  // Rows of x as A tiles: bf16 [row block of 16][step][16 rows][32]. Rows beyond the last keep what
  // they had: the tiles' other rows do not see them.
  static void to_tiles(const float* x, std::uint32_t cols, std::uint32_t row,
                       std::uint16_t* tiles) {
    const std::uint32_t steps = cols / kStep;
    std::uint16_t* to = tiles + (std::size_t{row} / 16 * steps * 16 + row % 16) * kStep;
    for (std::uint32_t s = 0; s < steps; ++s, to += kTile, x += kStep) {
      const __m512i both = reinterpret_cast<__m512i>(
          _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(x)));
      _mm512_storeu_si512(to, both);
    }
  }

  static std::size_t scratch_bytes(std::uint32_t rows) {
    const std::size_t blocks = (std::size_t{rows} + 31) / 32 * 2;
    return std::max(sizeof(Strip) + blocks * kStripPanels * kSumTile * sizeof(float),
                    Products<L>::scratch_bytes(rows));
  }

  static constexpr MatmulKernels kernels() {
    MatmulKernels table = Products<L>::kernels();
    table.prompt = prompt;
    table.strip_panels = kStripPanels;
    table.scratch_bytes = scratch_bytes;
    table.to_tiles = to_tiles;
    return table;
  }
};

}  // namespace drystone

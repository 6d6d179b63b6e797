#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "compute/cpu/matmul/decode.h"
#include "compute/cpu/matmul/kernels.h"
#include "compute/cpu/matmul/layout.h"

// The products of matmul/kernels.h, once for all instruction sets: over Lanes (16 lanes of 32 bits,
// see portable/lanes.h), compiled in each instruction set's folder with its flags.

namespace drystone {

#define DRYSTONE_INLINE inline __attribute__((always_inline))

// Calls body(std::integral_constant<int, 0>{}), ..., with kCount - 1 at the end.
template <int kCount, typename Body>
DRYSTONE_INLINE void unrolled(Body&& body) {
  [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, kIndex>{}), ...);
  }(std::make_integer_sequence<int, kCount>{});
}

// Calls body with a constant type that is a computed, quantized type.
template <typename Body>
void with_quantized_type(DType type, Body&& body) {
  switch (type) {
#define DRYSTONE_CASE(T) \
  case DType::T:         \
    return body(std::integral_constant<DType, DType::T>{})
    DRYSTONE_CASE(q4_0);
    DRYSTONE_CASE(q4_1);
    DRYSTONE_CASE(q5_0);
    DRYSTONE_CASE(q5_1);
    DRYSTONE_CASE(q8_0);
    DRYSTONE_CASE(q2_k);
    DRYSTONE_CASE(q3_k);
    DRYSTONE_CASE(q4_k);
    DRYSTONE_CASE(q5_k);
    DRYSTONE_CASE(q6_k);
    DRYSTONE_CASE(iq4_nl);
    DRYSTONE_CASE(iq4_xs);
    DRYSTONE_CASE(mxfp4);
#undef DRYSTONE_CASE
    default:
      std::abort();  // No CHECK here: what these files instantiate must stay in them (see kernels'
                     // CMake).
  }
}

template <typename L>
struct Products {
  using I = typename L::I;
  using F = typename L::F;

  // ---- Where results go

  // Writes 16 outputs of one row; beyond the last output of the matrix, fewer.
  static DRYSTONE_INLINE void store_outputs(const PanelProduct& p, std::uint32_t panel,
                                            std::uint32_t row, F sum) {
    const std::uint32_t first = panel * kPanelRows;
    float* out = p.out + row * p.out_stride + first;
    if (first + kPanelRows <= p.rows) [[likely]] {
      if (p.out_bias) sum = L::add(sum, L::load_f32(p.out_bias + first));
      if (p.accumulate) sum = L::add(L::load_f32(out), sum);
      L::store_f32(out, sum);
      return;
    }
    float sums[kPanelRows];
    L::store_f32(sums, sum);
    for (std::uint32_t i = 0; first + i < p.rows; ++i) {
      const float value = p.out_bias ? sums[i] + p.out_bias[first + i] : sums[i];
      out[i] = p.accumulate ? out[i] + value : value;
    }
  }

  // ---- Quantized weights, few rows: bound by reading the weights

  template <typename D, int kRows>
  static void generated_panel(const PanelProduct& p, std::uint32_t panel, std::uint32_t row) {
    const std::uint32_t cols = p.input.cols, blocks = cols / D::kBlock;
    const PanelBlocks<D> panel_blocks(p.panels, panel, cols);
    const std::byte* const stream_end =
        p.panels + p.panel_ahead * PanelBlocks<D>::panel_bytes(cols) - 64;
    constexpr int kSubs = D::kBlock / D::kSub;
    const std::uint32_t subs = cols / D::kSub, groups = scale_groups(cols);

    F acc[kRows], total[kRows];
    for (int r = 0; r < kRows; ++r) acc[r] = total[r] = L::zero();
    const auto end_group = [&](std::size_t group) __attribute__((always_inline)) {
      for (int r = 0; r < kRows; ++r) {
        total[r] =
            L::fma(acc[r], L::broadcast(p.input.scales[(row + r) * groups + group]), total[r]);
        acc[r] = L::zero();
      }
    };
    for (std::uint32_t b = 0; b < blocks; ++b) {
      const D block = panel_blocks[b];
      if (kRows > 1 || p.ask_ahead || !D::kForwards) {
        for (int u = 0; u < D::kUnits; ++u) prefetch_stream(block.units + 64 * u, stream_end);
        if constexpr (D::kTail > 0) prefetch_stream(block.tails, stream_end);
      }
      unrolled<kSubs>([&](auto sub) __attribute__((always_inline)) {
        constexpr int S = decltype(sub)::value;
        const std::size_t s = std::size_t{b} * kSubs + S;
        typename L::template Dot<D::kSigned, D::kBits> dots[kRows];
        for (int r = 0; r < kRows; ++r) {
          if constexpr (D::kOffset + (D::kSigned ? L::kSignedOffset : 0) != 0)
            dots[r].start(p.input.bias[(row + r) * subs + s]);
          else
            dots[r].start();
        }
        const std::int8_t* a = p.input.q + std::size_t{row} * cols + s * D::kSub;
        unrolled<D::kSub / 4>([&](auto step) __attribute__((always_inline)) {
          constexpr int J = decltype(step)::value;
          I code = block.template code<S, J>();
          if constexpr (D::kSigned) code = L::bias_signed(code);
          for (int r = 0; r < kRows; ++r)
            dots[r].template add<J>(code, L::broadcast4(a + std::size_t{cols} * r + 4 * J));
        });
        const F scale = block.template scale<S>();
        for (int r = 0; r < kRows; ++r)
          acc[r] = L::fma(L::to_float(dots[r].total()), scale, acc[r]);
        if constexpr (D::kMinimum) {
          const F minimum = block.template minimum<S>();
          for (int r = 0; r < kRows; ++r)
            acc[r] = L::fma(minimum, L::broadcast(p.input.sums[(row + r) * subs + s]), acc[r]);
        }
        if constexpr (D::kBlock > kScaleGroup && (S + 1) * D::kSub % kScaleGroup == 0)
          end_group((s + 1) * D::kSub / kScaleGroup - 1);
      });
      if constexpr (D::kBlock < kScaleGroup)
        if ((b + 1) * D::kBlock % kScaleGroup == 0 || b + 1 == blocks)
          end_group(b * D::kBlock / kScaleGroup);
    }
    for (int r = 0; r < kRows; ++r) store_outputs(p, panel, row + r, total[r]);
  }

  // Weights stream from memory once. Measured on a Xeon with 2 cores that read 33 GB/s, Q4_K with
  // one row: 26 GB/s with either of these alone, 31.8 with both. On a Zen 4 they are in the way of
  // what the processor fetches by itself (foresees_streams()): one core that reads 31 GB/s does 30
  // without and 20 to 26 with them. Several rows are so much work for each line that it looks less
  // far ahead: Q4_0 with 4 rows at 14 GB/s without, at 18 with them.
  static constexpr std::size_t kNearBytes = 2048, kFarBytes = 32768;
  // Not beyond `end`: there is another thread's part, or nothing, and the walk for a page that is
  // not there costs more than a load.
  static DRYSTONE_INLINE void prefetch_stream(const std::byte* at, const std::byte* end) {
    L::prefetch(at + kNearBytes < end ? at + kNearBytes : end);
    L::prefetch_far(at + kFarBytes < end ? at + kFarBytes : end);
  }

  template <typename D>
  static void generated_quantized(const PanelProduct& p) {
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; ++panel) {
      std::uint32_t row = p.row_begin;
      for (; row + 4 <= p.row_end; row += 4) generated_panel<D, 4>(p, panel, row);
      for (; row + 2 <= p.row_end; row += 2) generated_panel<D, 2>(p, panel, row);
      if (row < p.row_end) generated_panel<D, 1>(p, panel, row);
    }
  }

  // ---- Quantized weights, many rows: bound by arithmetic
  //
  // A strip of kPromptPanels panels is decoded to bytes, kChunk inputs at a time, into a scratch
  // that stays in the first-level cache; all rows pass over it in tiles, their partial sums resting
  // in `sums` between chunks.

  static constexpr int kPanels = L::kPromptPanels;
  static constexpr std::uint32_t kChunk = 512;

  struct Strip {
    alignas(64) std::byte codes[kChunk / 4 * kPanels * 64];
    alignas(64) float scales[kChunk / 16 * kPanels * kPanelRows];
    alignas(64) float minimums[kChunk / 16 * kPanels * kPanelRows];
  };

  template <typename D>
  static void decode_strip(const PanelProduct& p, std::uint32_t panel, std::uint32_t panels,
                           std::uint32_t block_begin, std::uint32_t block_end, Strip& strip) {
    constexpr int kSubs = D::kBlock / D::kSub;
    for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(kPanels); ++c) {
      // A strip that reaches past the last panel repeats it; the results are not stored.
      const PanelBlocks<D> panel_blocks(p.panels, panel + std::min(c, panels - 1), p.input.cols);
      for (std::uint32_t b = block_begin; b < block_end; ++b) {
        const D block = panel_blocks[b];
        for (int u = 0; u < D::kUnits; ++u) L::prefetch(block.units + 64 * u + kNearBytes);
        unrolled<kSubs>([&](auto sub) __attribute__((always_inline)) {
          constexpr int S = decltype(sub)::value;
          const std::size_t s = std::size_t{b - block_begin} * kSubs + S;
          unrolled<D::kSub / 4>([&](auto step) __attribute__((always_inline)) {
            constexpr int J = decltype(step)::value;
            I code = block.template code<S, J>();
            if constexpr (D::kSigned) code = L::bias_signed(code);
            L::store(strip.codes + ((s * (D::kSub / 4) + J) * kPanels + c) * 64, code);
          });
          L::store_f32(strip.scales + (s * kPanels + c) * kPanelRows, block.template scale<S>());
          if constexpr (D::kMinimum)
            L::store_f32(strip.minimums + (s * kPanels + c) * kPanelRows,
                         block.template minimum<S>());
        });
      }
    }
  }

  // What a tile needs to know of a type once its codes are decoded. Types that agree in it share
  // the code.
  template <int kSubInputs, bool kSignedCodes, int kCodeBits, bool kBiased, bool kHasMinimum>
  struct TileKind {
    static constexpr int kSub = kSubInputs, kBits = kCodeBits;
    static constexpr bool kSigned = kSignedCodes, kBias = kBiased, kMinimum = kHasMinimum;
  };
  template <typename D>
  using TileKindOf = TileKind<D::kSub, D::kSigned,
                              (D::kSigned      ? 8
                               : D::kBits <= 4 ? 4
                                               : D::kBits),
                              (D::kSigned ? L::kSignedOffset : D::kOffset) != 0, D::kMinimum>;

  // The weights of the next strip, which come from memory while the tiles of this one compute: the
  // first kTiles tiles ask for them, a few lines with each sub-block. Measured with AVX-512, Q4_0,
  // 2 threads: 8 rows 300 to 370 thousand million multiply-adds a second, 32 rows 430 to 500.
  struct Ahead {
    static constexpr std::uint32_t kTiles = 3;
    const std::byte* at[kPanels];  // the next line to ask for
    std::uint32_t lines;           // with each sub-block, of each panel

    DRYSTONE_INLINE void ask() {
      for (std::uint32_t i = 0; i < lines; ++i)
        for (auto& line : at) {
          L::prefetch(line);
          line += 64;
        }
    }
  };

  template <typename D>
  static Ahead ahead_of(const PanelProduct& p, std::uint32_t panel, std::uint32_t block,
                        std::uint32_t blocks, std::uint32_t tiles) {
    constexpr std::uint32_t kSubs = D::kBlock / D::kSub;
    const std::uint32_t asks = blocks * kSubs * std::min(tiles, Ahead::kTiles);
    const std::uint32_t lines = (blocks * (4 * D::kUnits + D::kTail) + 3) / 4;
    Ahead ahead{.at = {}, .lines = (lines + asks - 1) / asks};
    // Not beyond what this thread reads next (see prefetch_stream).
    if (panel + kPanels > p.panel_ahead) ahead.lines = 0;
    for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(kPanels); ++c)
      ahead.at[c] = PanelBlocks<D>(p.panels, panel + c, p.input.cols)[block].units;
    return ahead;
  }

  // kRows rows times the strip, sub-blocks [0, subs) of it, which are [sub_begin, ...) of the row.
  template <typename D, int kRows>
  static void prompt_tile(const InputView& in, const Strip& strip, std::uint32_t row,
                          std::uint32_t sub_begin, std::uint32_t subs, float* sums, Ahead& ahead) {
    constexpr std::uint32_t kGroupSubs = kScaleGroup / D::kSub;
    // Pointers and 64-bit strides: indices of 32 bits would be worked out anew for every row.
    const std::size_t cols = in.cols, row_subs = cols / D::kSub, groups = scale_groups(in.cols);
    const std::int8_t* a = in.q + row * cols + std::size_t{sub_begin} * D::kSub;
    const std::size_t first_sub = row * row_subs + sub_begin;
    const std::int32_t* bias = D::kBias ? in.bias + first_sub : nullptr;
    const float* row_sums = D::kMinimum ? in.sums + first_sub : nullptr;
    const float* row_scales = in.scales + row * groups + sub_begin / kGroupSubs;
    const std::byte* codes = strip.codes;
    for (std::uint32_t s = 0; s < subs;) {
      const std::uint32_t group_end = std::min(s + kGroupSubs, subs);
      F acc[kRows][kPanels];
      for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kPanels; ++c) acc[r][c] = L::zero();
      for (; s < group_end; ++s, a += D::kSub, codes += D::kSub / 4 * kPanels * 64) {
        typename L::template Dot<D::kSigned, D::kBits> dots[kRows][kPanels];
        for (int r = 0; r < kRows; ++r)
          for (int c = 0; c < kPanels; ++c) {
            if constexpr (D::kBias)
              dots[r][c].start(bias[r * row_subs]);
            else
              dots[r][c].start();
          }
        unrolled<D::kSub / 4>([&](auto step) __attribute__((always_inline)) {
          constexpr int J = decltype(step)::value;
          I w[kPanels];
          for (int c = 0; c < kPanels; ++c) w[c] = L::load(codes + (J * kPanels + c) * 64);
          for (int r = 0; r < kRows; ++r) {
            const auto four = L::broadcast4(a + cols * r + 4 * J);
            for (int c = 0; c < kPanels; ++c) dots[r][c].template add<J>(w[c], four);
          }
        });
        const float* scales = strip.scales + s * kPanels * kPanelRows;
        const float* minimums = strip.minimums + s * kPanels * kPanelRows;
        for (int r = 0; r < kRows; ++r)
          for (int c = 0; c < kPanels; ++c)
            acc[r][c] = L::fma(L::to_float(dots[r][c].total()),
                               L::load_f32(scales + c * kPanelRows), acc[r][c]);
        if constexpr (D::kMinimum)
          for (int r = 0; r < kRows; ++r) {
            const F a_sum = L::broadcast(row_sums[r * row_subs]);
            for (int c = 0; c < kPanels; ++c)
              acc[r][c] = L::fma(L::load_f32(minimums + c * kPanelRows), a_sum, acc[r][c]);
          }
        if constexpr (D::kBias) ++bias;
        if constexpr (D::kMinimum) ++row_sums;
        ahead.ask();
      }
      for (int r = 0; r < kRows; ++r) {
        const F a_scale = L::broadcast(row_scales[r * groups]);
        for (int c = 0; c < kPanels; ++c) {
          float* total = sums + (r * kPanels + c) * kPanelRows;
          L::store_f32(total, L::fma(acc[r][c], a_scale, L::load_f32(total)));
        }
      }
      ++row_scales;
    }
  }

  template <typename D>
  static void prompt_quantized(const PanelProduct& p) {
    constexpr std::uint32_t kChunkBlocks = kChunk / D::kBlock;
    Strip& strip = *reinterpret_cast<Strip*>(p.scratch);
    float* const sums = reinterpret_cast<float*>(p.scratch + sizeof(Strip));
    const std::uint32_t rows = p.row_end - p.row_begin, blocks = p.input.cols / D::kBlock;
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; panel += kPanels) {
      const std::uint32_t panels = std::min<std::uint32_t>(kPanels, p.panel_end - panel);
      std::memset(sums, 0, std::size_t{rows} * kPanels * kPanelRows * sizeof(float));
      for (std::uint32_t b = 0; b < blocks; b += kChunkBlocks) {
        const std::uint32_t end = std::min(b + kChunkBlocks, blocks);
        decode_strip<D>(p, panel, panels, b, end, strip);
        constexpr std::uint32_t kSubs = D::kBlock / D::kSub;
        const bool last = end == blocks;
        Ahead ahead = ahead_of<D>(p, last ? panel + kPanels : panel, last ? 0 : end,
                                  std::min(kChunkBlocks, blocks), rows / L::kPromptRows + 1);
        std::uint32_t tile = 0;
        for_row_tiles<L::kPromptRows>(rows, [&]<int kRows>(std::uint32_t r) {
          if (tile++ == Ahead::kTiles) ahead.lines = 0;
          prompt_tile<TileKindOf<D>, kRows>(p.input, strip, p.row_begin + r, b * kSubs,
                                            (end - b) * kSubs,
                                            sums + std::size_t{r} * kPanels * kPanelRows, ahead);
        });
      }
      store_strip(p, panel, panels, kPanels, rows, sums);
    }
  }

  // body.operator()<kRows>(first row) over tiles of kMost rows, then of 4, 2 and 1.
  template <int kMost, typename Body>
  static DRYSTONE_INLINE void for_row_tiles(std::uint32_t rows, Body&& body) {
    std::uint32_t r = 0;
    for (; r + kMost <= rows; r += kMost) body.template operator()<kMost>(r);
    if constexpr (kMost > 4)
      for (; r + 4 <= rows; r += 4) body.template operator()<4>(r);
    for (; r + 2 <= rows; r += 2) body.template operator()<2>(r);
    if (r < rows) body.template operator()<1>(r);
  }

  static void store_strip(const PanelProduct& p, std::uint32_t panel, std::uint32_t panels,
                          int strip_panels, std::uint32_t rows, const float* sums) {
    for (std::uint32_t r = 0; r < rows; ++r)
      for (std::uint32_t c = 0; c < panels; ++c)
        store_outputs(p, panel + c, p.row_begin + r,
                      L::load_f32(sums + (std::size_t{r} * strip_panels + c) * kPanelRows));
  }

  // ---- Float weights

  template <DType kType>
  static DRYSTONE_INLINE F load_weights(const std::byte* at) {
    if constexpr (kType == DType::f32) return L::load_f32(reinterpret_cast<const float*>(at));
    if constexpr (kType == DType::f16) return L::load_f16(at);
    if constexpr (kType == DType::bf16) return L::load_bf16(at);
  }

  template <DType kType, int kRows>
  static void generated_float_panel(const PanelProduct& p, std::uint32_t panel, std::uint32_t row) {
    constexpr std::size_t kUnit = kPanelRows * (kType == DType::f32 ? 4 : 2);
    const std::uint32_t cols = p.input.cols;
    const std::size_t panel_bytes = (cols * kUnit + 63) / 64 * 64;
    const std::byte* w = p.panels + panel * panel_bytes;
    const std::byte* const stream_end = p.panels + p.panel_ahead * panel_bytes - 64;
    const float* x = p.input.x + std::size_t{row} * cols;
    F acc[kRows];
    for (auto& a : acc) a = L::zero();
    for (std::uint32_t k = 0; k < cols; ++k, w += kUnit) {
      if (kRows > 1 || p.ask_ahead) prefetch_stream(w, stream_end);
      const F weights = load_weights<kType>(w);
      for (int r = 0; r < kRows; ++r)
        acc[r] = L::fma(weights, L::broadcast(x[std::size_t{cols} * r + k]), acc[r]);
    }
    for (int r = 0; r < kRows; ++r) store_outputs(p, panel, row + r, acc[r]);
  }

  template <DType kType>
  static void generated_float(const PanelProduct& p) {
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; ++panel) {
      std::uint32_t row = p.row_begin;
      for (; row + 4 <= p.row_end; row += 4) generated_float_panel<kType, 4>(p, panel, row);
      for (; row < p.row_end; ++row) generated_float_panel<kType, 1>(p, panel, row);
    }
  }

  static constexpr int kFloatPanels = L::kFloatPanels;
  static constexpr std::uint32_t kFloatChunk = 256;

  struct FloatStrip {
    alignas(64) float weights[kFloatChunk * kFloatPanels * kPanelRows];
  };

  template <int kRows>
  static void prompt_float_tile(const float* x, std::size_t cols, const float* weights,
                                std::uint32_t count, float* sums) {
    F acc[kRows][kFloatPanels];
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kFloatPanels; ++c)
        acc[r][c] = L::load_f32(sums + (r * kFloatPanels + c) * kPanelRows);
    for (std::uint32_t k = 0; k < count; ++k, weights += kFloatPanels * kPanelRows) {
      F w[kFloatPanels];
      for (int c = 0; c < kFloatPanels; ++c) w[c] = L::load_f32(weights + c * kPanelRows);
      for (int r = 0; r < kRows; ++r) {
        const F a = L::broadcast(x[cols * r + k]);
        for (int c = 0; c < kFloatPanels; ++c) acc[r][c] = L::fma(w[c], a, acc[r][c]);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kFloatPanels; ++c)
        L::store_f32(sums + (r * kFloatPanels + c) * kPanelRows, acc[r][c]);
  }

  template <DType kType>
  static void prompt_float(const PanelProduct& p) {
    constexpr std::size_t kUnit = kPanelRows * (kType == DType::f32 ? 4 : 2);
    const std::uint32_t rows = p.row_end - p.row_begin, cols = p.input.cols;
    const std::size_t panel_bytes = (cols * kUnit + 63) / 64 * 64;
    FloatStrip& strip = *reinterpret_cast<FloatStrip*>(p.scratch);
    float* const sums = reinterpret_cast<float*>(p.scratch + sizeof(FloatStrip));
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; panel += kFloatPanels) {
      const std::uint32_t panels = std::min<std::uint32_t>(kFloatPanels, p.panel_end - panel);
      std::memset(sums, 0, std::size_t{rows} * kFloatPanels * kPanelRows * sizeof(float));
      for (std::uint32_t k = 0; k < cols; k += kFloatChunk) {
        const std::uint32_t count = std::min(kFloatChunk, cols - k);
        for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(kFloatPanels); ++c) {
          const std::byte* w =
              p.panels + (panel + std::min(c, panels - 1)) * panel_bytes + k * kUnit;
          for (std::uint32_t i = 0; i < count; ++i)
            L::store_f32(strip.weights + (i * kFloatPanels + c) * kPanelRows,
                         load_weights<kType>(w + i * kUnit));
        }
        for_row_tiles<L::kFloatRows>(rows, [&]<int kRows>(std::uint32_t r) {
          prompt_float_tile<kRows>(p.input.x + std::size_t{p.row_begin + r} * cols + k, cols,
                                   strip.weights, count,
                                   sums + std::size_t{r} * kFloatPanels * kPanelRows);
        });
      }
      store_strip(p, panel, panels, kFloatPanels, rows, sums);
    }
  }

  // ---- Input

  // Per group: scale = max |x| / 127, q = x / scale rounded to nearest, ties to even.
  static void quantize(const float* x, std::uint32_t cols, std::int8_t* q, float* scales) {
    for (std::uint32_t begin = 0; begin < cols; begin += kScaleGroup) {
      const std::uint32_t end = std::min(begin + kScaleGroup, cols);
      float largest = 0;
      for (std::uint32_t k = begin; k < end; k += 32)
        largest = std::max(largest, L::max_abs32(x + k));
      *scales++ = largest / 127.0f;
      const float inverse = largest > 0 ? 127.0f / largest : 0;
      for (std::uint32_t k = begin; k < end; k += 16) L::scale_to_int8(x + k, inverse, q + k);
    }
  }

  // ---- The table

  static void generated(const PanelProduct& p) {
    switch (p.type) {
      case DType::f32:
        return generated_float<DType::f32>(p);
      case DType::f16:
        return generated_float<DType::f16>(p);
      case DType::bf16:
        return generated_float<DType::bf16>(p);
      default:
        with_quantized_type(p.type, [&](auto type) {
          generated_quantized<BlockDecoder<L, decltype(type)::value>>(p);
        });
    }
  }

  static void prompt(const PanelProduct& p) {
    switch (p.type) {
      case DType::f32:
        return prompt_float<DType::f32>(p);
      case DType::f16:
        return prompt_float<DType::f16>(p);
      case DType::bf16:
        return prompt_float<DType::bf16>(p);
      default:
        with_quantized_type(p.type, [&](auto type) {
          prompt_quantized<BlockDecoder<L, decltype(type)::value>>(p);
        });
    }
  }

  static std::int32_t offset(DType type) {
    std::int32_t offset = 0;
    with_quantized_type(type, [&](auto constant) {
      using D = BlockDecoder<L, decltype(constant)::value>;
      offset = D::kSigned ? L::kSignedOffset : D::kOffset;
    });
    return offset;
  }

  static std::size_t scratch_bytes(std::uint32_t rows) {
    const std::size_t panels = std::max(kPanels, kFloatPanels);
    return std::max(sizeof(Strip), sizeof(FloatStrip)) +
           std::size_t{rows} * panels * kPanelRows * sizeof(float);
  }

  static constexpr MatmulKernels kernels() {
    return {
        quantize,     generated, prompt, offset, nullptr, nullptr, std::max(kPanels, kFloatPanels),
        scratch_bytes};
  }
};

}  // namespace drystone

#pragma once

#include <algorithm>
#include <cstring>

#include "compute/cpu/matmul/products.h"
#include "compute/cpu/neon/lanes.h"

namespace drystone {

// Prompt rows with the 8-bit matrix instructions (Armv8.6 i8mm), twice the rate of dot products:
// one instruction multiplies 2 rows x 8 inputs with 8 inputs x 2 columns. The integers are the
// same, so the bits are too. Generated rows and float weights go the way of NeonLanes.
struct I8mmProducts {
  using L = NeonLanes;
  static constexpr std::uint32_t kChunk = 512;

  struct Strip {
    alignas(64)
        std::int8_t codes[kChunk / 8][8][16];  // [8 inputs][pair of columns][2 columns][8 inputs]
    alignas(64) float scales[kChunk / 16][kPanelRows];
    alignas(64) float minimums[kChunk / 16][kPanelRows];
  };

  template <typename D>
  static void decode_strip(const PanelProduct& p, std::uint32_t panel, std::uint32_t block_begin,
                           std::uint32_t block_end, Strip& strip) {
    const PanelBlocks<D> panel_blocks(p.panels, panel, p.input.cols);
    for (std::uint32_t b = block_begin; b < block_end; ++b) {
      const D block = panel_blocks[b];
      unrolled<D::kBlock / D::kSub>([&](auto sub) __attribute__((always_inline)) {
        constexpr int S = decltype(sub)::value;
        const std::size_t s = std::size_t{b - block_begin} * (D::kBlock / D::kSub) + S;
        unrolled<D::kSub / 8>([&](auto step) __attribute__((always_inline)) {
          constexpr int J = 2 * decltype(step)::value;
          const auto first = block.template code<S, J>(), second = block.template code<S, J + 1>();
          auto* to = strip.codes[s * (D::kSub / 8) + J / 2];
          for (int i = 0; i < 4; ++i) {
            vst1q_s8(to[2 * i], vreinterpretq_s8_s32(vzip1q_s32(first.v[i], second.v[i])));
            vst1q_s8(to[2 * i + 1], vreinterpretq_s8_s32(vzip2q_s32(first.v[i], second.v[i])));
          }
        });
        L::store_f32(strip.scales[s], block.template scale<S>());
        if constexpr (D::kMinimum) L::store_f32(strip.minimums[s], block.template minimum<S>());
      });
    }
  }

  // Two rows times the strip; `sums` and `other_sums` are theirs, f32 [16].
  template <typename Kind>
  static void tile(const InputView& in, const Strip& strip, const std::uint32_t (&rows)[2],
                   std::uint32_t sub_begin, std::uint32_t subs, float* const (&sums)[2]) {
    constexpr std::uint32_t kGroupSubs = kScaleGroup / Kind::kSub;
    const std::uint32_t cols = in.cols, row_subs = cols / Kind::kSub, groups = scale_groups(cols);
    const std::int8_t* a[2];
    for (int r = 0; r < 2; ++r)
      a[r] = in.q + std::size_t{rows[r]} * cols + std::size_t{sub_begin} * Kind::kSub;
    for (std::uint32_t s = 0; s < subs;) {
      const std::uint32_t group_end = std::min(s + kGroupSubs, subs),
                          group = (sub_begin + s) / kGroupSubs;
      NeonLanes::F acc[2] = {L::zero(), L::zero()};
      for (; s < group_end; ++s) {
        std::int32_t bias[2] = {0, 0};
        if constexpr (Kind::kBias)
          for (int r = 0; r < 2; ++r) bias[r] = in.bias[rows[r] * row_subs + sub_begin + s];
        int32x4_t dots[8];  // {row 0 x column 0, 0 x 1, 1 x 0, 1 x 1} of a pair of columns
        for (auto& d : dots) d = vcombine_s32(vdup_n_s32(bias[0]), vdup_n_s32(bias[1]));
        for (std::uint32_t j = 0; j < Kind::kSub / 8; ++j) {
          const int8x16_t both = vcombine_s8(vld1_s8(a[0]), vld1_s8(a[1]));
          a[0] += 8;
          a[1] += 8;
          const auto* codes = strip.codes[s * (Kind::kSub / 8) + j];
          for (int c = 0; c < 8; ++c) dots[c] = vmmlaq_s32(dots[c], both, vld1q_s8(codes[c]));
        }
        for (int i = 0; i < 4; ++i) {
          const float32x4_t scale = vld1q_f32(strip.scales[s] + 4 * i);
          const int32x4_t first =
              vcombine_s32(vget_low_s32(dots[2 * i]), vget_low_s32(dots[2 * i + 1]));
          const int32x4_t second =
              vcombine_s32(vget_high_s32(dots[2 * i]), vget_high_s32(dots[2 * i + 1]));
          acc[0].v[i] = vfmaq_f32(acc[0].v[i], vcvtq_f32_s32(first), scale);
          acc[1].v[i] = vfmaq_f32(acc[1].v[i], vcvtq_f32_s32(second), scale);
        }
        if constexpr (Kind::kMinimum)
          for (int r = 0; r < 2; ++r)
            acc[r] = L::fma(L::load_f32(strip.minimums[s]),
                            L::broadcast(in.sums[rows[r] * row_subs + sub_begin + s]), acc[r]);
      }
      for (int r = 0; r < 2; ++r) {
        const auto a_scale = L::broadcast(in.scales[rows[r] * groups + group]);
        L::store_f32(sums[r], L::fma(acc[r], a_scale, L::load_f32(sums[r])));
      }
    }
  }

  template <typename D>
  static void prompt_quantized(const PanelProduct& p) {
    constexpr std::uint32_t kChunkBlocks = kChunk / D::kBlock, kSubs = D::kBlock / D::kSub;
    Strip& strip = *reinterpret_cast<Strip*>(p.scratch);
    float* const sums = reinterpret_cast<float*>(p.scratch + sizeof(Strip));
    float unused[kPanelRows] = {};
    const std::uint32_t rows = p.row_end - p.row_begin, blocks = p.input.cols / D::kBlock;
    for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; ++panel) {
      std::memset(sums, 0, std::size_t{rows} * kPanelRows * sizeof(float));
      for (std::uint32_t b = 0; b < blocks; b += kChunkBlocks) {
        const std::uint32_t end = std::min(b + kChunkBlocks, blocks);
        decode_strip<D>(p, panel, b, end, strip);
        for (std::uint32_t r = 0; r < rows; r += 2) {
          const std::uint32_t other =
              std::min(r + 1, rows - 1);  // an odd last row is paired with itself
          const std::uint32_t two[2] = {p.row_begin + r, p.row_begin + other};
          float* const out[2] = {sums + std::size_t{r} * kPanelRows,
                                 other == r ? unused : sums + std::size_t{other} * kPanelRows};
          tile<Products<L>::TileKindOf<D>>(p.input, strip, two, b * kSubs, (end - b) * kSubs, out);
        }
      }
      Products<L>::store_strip(p, panel, 1, 1, rows, sums);
    }
  }

  static void prompt(const PanelProduct& p) {
    if (p.type == DType::f32 || p.type == DType::f16 || p.type == DType::bf16)
      return Products<L>::prompt(p);
    with_quantized_type(
        p.type, [&](auto type) { prompt_quantized<BlockDecoder<L, decltype(type)::value>>(p); });
  }

  static std::size_t scratch_bytes(std::uint32_t rows) {
    return std::max(sizeof(Strip) + std::size_t{rows} * kPanelRows * sizeof(float),
                    Products<L>::scratch_bytes(rows));
  }

  static constexpr MatmulKernels kernels() {
    MatmulKernels table = Products<L>::kernels();
    table.prompt = prompt;
    table.scratch_bytes = scratch_bytes;
    return table;
  }
};

}  // namespace drystone

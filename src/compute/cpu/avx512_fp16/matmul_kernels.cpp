#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "compute/cpu/matmul/layout.h"
#include "compute/cpu/matmul/tables.h"

// Products with f16 weights in f16 arithmetic (AVX512-FP16): twice the multiply-adds of f32 per
// instruction, and the weights need no conversion. Everything else goes the way of AVX-512.
//
// Sums: over groups of kHalfGroup inputs, one chain of fused f16 multiply-adds over the even inputs
// and one over the odd ones, both in rising order; their f16 sum, as f32, times the group's scale
// is added to the f32 sum of the groups before. The inputs of a group are divided by their largest,
// and weights are below kHalfWeightMax, so no chain can overflow.

namespace drystone {
namespace {

constexpr std::uint32_t kPanels = 4;              // of a strip
constexpr int kTileRows = 6;                      // 24 vectors of chains in 32 registers
constexpr std::uint32_t kChunk = 4 * kHalfGroup;  // inputs of a strip: 32 KiB of weights
constexpr std::uint32_t kLine = 32;               // inputs of a cache line
constexpr std::size_t kUnit = kPanelRows * 2;     // bytes of one input's weights in a panel

std::size_t panel_bytes(std::uint32_t cols) { return (cols * kUnit + 63) / 64 * 64; }

// An even and the following odd input, in all lanes of 32 bits.
inline __m512i two_inputs(const std::uint16_t* at) {
  int both;
  std::memcpy(&both, at, sizeof(both));
  return _mm512_set1_epi32(both);
}

inline __m512 low_floats(__m512h x) { return _mm512_cvtxph_ps(_mm512_castph512_ph256(x)); }
inline __m512 high_floats(__m512h x) {
  const __m256i high = _mm512_extracti64x4_epi64(_mm512_castph_si512(x), 1);
  return _mm512_cvtxph_ps(_mm256_castsi256_ph(high));
}

void store_outputs(const PanelProduct& p, std::uint32_t panel, std::uint32_t row, __m512 sum) {
  const std::uint32_t first = panel * kPanelRows;
  const __mmask16 mask =
      first + kPanelRows <= p.rows ? 0xffff : static_cast<__mmask16>((1u << (p.rows - first)) - 1);
  float* out = p.out + row * p.out_stride + first;
  if (p.out_bias != nullptr)
    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, p.out_bias + first));
  if (p.accumulate) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), sum);
  _mm512_mask_storeu_ps(out, mask, sum);
}

// ---- Few rows: bound by reading the weights

// The weights of an even and an odd input stand in one vector, so both chains are one.
template <int kRows>
void generated_panel(const PanelProduct& p, std::uint32_t panel, std::uint32_t row) {
  constexpr std::size_t kNearBytes = 2048, kFarBytes = 32768;  // as in matmul/products.h
  const std::size_t cols = p.input.cols, groups = cols / kHalfGroup;
  const std::byte* w = p.panels + panel * panel_bytes(p.input.cols);
  const std::byte* const end = p.panels + p.panel_ahead * panel_bytes(p.input.cols) - 64;
  const std::uint16_t* a = p.input.halves + row * cols;
  // The even input for the lower lanes, the odd one for the upper ones.
  const __m512i apart = _mm512_inserti64x4(_mm512_set1_epi16(0x0100), _mm256_set1_epi16(0x0302), 1);
  __m512 total[kRows];
  for (auto& sum : total) sum = _mm512_setzero_ps();
  for (std::size_t group = 0; group < groups; ++group, a += kHalfGroup) {
    __m512h chains[kRows];
    for (auto& chain : chains) chain = _mm512_setzero_ph();
    for (std::uint32_t k = 0; k < kHalfGroup; k += 2, w += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(w + kNearBytes < end ? w + kNearBytes : end),
                   _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(w + kFarBytes < end ? w + kFarBytes : end),
                   _MM_HINT_T1);
      const __m512h weights = _mm512_castsi512_ph(_mm512_loadu_si512(w));
      for (int r = 0; r < kRows; ++r) {
        const __m512i inputs = _mm512_shuffle_epi8(two_inputs(a + cols * r + k), apart);
        chains[r] = _mm512_fmadd_ph(weights, _mm512_castsi512_ph(inputs), chains[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m256h odd =
          _mm256_castsi256_ph(_mm512_extracti64x4_epi64(_mm512_castph_si512(chains[r]), 1));
      const __m256h sum = _mm256_add_ph(_mm512_castph512_ph256(chains[r]), odd);
      const __m512 scale = _mm512_set1_ps(p.input.half_scales[(row + r) * groups + group]);
      total[r] = _mm512_fmadd_ps(_mm512_cvtxph_ps(sum), scale, total[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) store_outputs(p, panel, row + r, total[r]);
}

void generated_halves(const PanelProduct& p) {
  for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; ++panel) {
    std::uint32_t row = p.row_begin;
    for (; row + 4 <= p.row_end; row += 4) generated_panel<4>(p, panel, row);
    for (; row < p.row_end; ++row) generated_panel<1>(p, panel, row);
  }
}

// ---- Many rows: bound by arithmetic

struct Strip {
  // [pair of inputs][panel][16 outputs][2 inputs]
  alignas(64) std::byte weights[kChunk * kPanels * kUnit];
};

void fill_strip(const PanelProduct& p, std::uint32_t panel, std::uint32_t panels, std::uint32_t k,
                std::uint32_t count, Strip& strip) {
  alignas(64) static constexpr std::uint16_t kInterleave[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i interleave = _mm512_load_si512(kInterleave);
  for (std::uint32_t c = 0; c < kPanels; ++c) {
    // A strip that reaches past the last panel repeats it; the results are not stored.
    const std::byte* w =
        p.panels + (panel + std::min(c, panels - 1)) * panel_bytes(p.input.cols) + k * kUnit;
    for (std::uint32_t i = 0; i < count / 2; ++i)
      _mm512_store_si512(strip.weights + (i * kPanels + c) * 64,
                         _mm512_permutexvar_epi16(interleave, _mm512_loadu_si512(w + i * 64)));
  }
}

// Outputs 0 and 1 of two panels, even chains plus odd ones, in turn: 0 of the first, 0 of the
// second, 1 of the first, ...
inline __m512h add_chains(__m512h first, __m512h second) {
  constexpr __mmask32 kOdd = 0xaaaaaaaa;
  const __m512i a = _mm512_castph_si512(first), b = _mm512_castph_si512(second);
  const __m512i even = _mm512_mask_mov_epi16(a, kOdd, _mm512_slli_epi32(b, 16));
  const __m512i odd = _mm512_mask_mov_epi16(_mm512_srli_epi32(a, 16), kOdd, b);
  return _mm512_add_ph(_mm512_castsi512_ph(even), _mm512_castsi512_ph(odd));
}

// kRows rows times `groups` groups of a strip, added to sums [kRows][pair of panels][16][2].
template <int kRows>
void prompt_tile(const std::uint16_t* a, const float* scales, std::size_t cols,
                 std::uint32_t groups, const std::byte* weights, float* sums) {
  for (std::uint32_t group = 0; group < groups; ++group, ++scales) {
    __m512h chains[kRows][kPanels];
    for (auto& row : chains)
      for (auto& chain : row) chain = _mm512_setzero_ph();
    for (std::uint32_t k = 0; k < kHalfGroup; k += kLine) {
      // The next tile's inputs, which do not stay in the first-level cache from strip to strip.
      for (int r = 0; r < kRows; ++r)
        _mm_prefetch(reinterpret_cast<const char*>(a + cols * (kRows + r)), _MM_HINT_T0);
      for (std::uint32_t i = 0; i < kLine; i += 2, a += 2, weights += kPanels * 64) {
        __m512h w[kPanels];
        for (std::uint32_t c = 0; c < kPanels; ++c)
          w[c] = _mm512_castsi512_ph(_mm512_load_si512(weights + c * 64));
        for (int r = 0; r < kRows; ++r) {
          const __m512h inputs = _mm512_castsi512_ph(two_inputs(a + cols * r));
          for (std::uint32_t c = 0; c < kPanels; ++c)
            chains[r][c] = _mm512_fmadd_ph(w[c], inputs, chains[r][c]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m512 scale = _mm512_set1_ps(scales[cols / kHalfGroup * r]);
      for (std::uint32_t c = 0; c < kPanels; c += 2) {
        const __m512h sum = add_chains(chains[r][c], chains[r][c + 1]);
        float* total = sums + (r * kPanels + c) * kPanelRows;
        _mm512_store_ps(total, _mm512_fmadd_ps(low_floats(sum), scale, _mm512_load_ps(total)));
        _mm512_store_ps(total + 16,
                        _mm512_fmadd_ps(high_floats(sum), scale, _mm512_load_ps(total + 16)));
      }
    }
  }
}

// The outputs of panel `panel` (0 or 1) of a pair.
inline __m512 outputs_of(const float* pair, std::uint32_t panel) {
  const __m512i first = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i index = _mm512_add_epi32(first, _mm512_set1_epi32(static_cast<int>(panel)));
  return _mm512_permutex2var_ps(_mm512_load_ps(pair), index, _mm512_load_ps(pair + 16));
}

void prompt_halves(const PanelProduct& p) {
  Strip& strip = *reinterpret_cast<Strip*>(p.scratch);
  float* const sums = reinterpret_cast<float*>(p.scratch + sizeof(Strip));
  const std::uint32_t rows = p.row_end - p.row_begin, cols = p.input.cols;
  constexpr std::size_t kRowSums = std::size_t{kPanels} * kPanelRows;
  for (std::uint32_t panel = p.panel_begin; panel < p.panel_end; panel += kPanels) {
    const std::uint32_t panels = std::min(kPanels, p.panel_end - panel);
    std::memset(sums, 0, rows * kRowSums * sizeof(float));
    for (std::uint32_t k = 0; k < cols; k += kChunk) {
      const std::uint32_t count = std::min(kChunk, cols - k);
      fill_strip(p, panel, panels, k, count, strip);
      const auto tile = [&]<int kRows>(std::uint32_t r) {
        const std::size_t row = p.row_begin + r;
        prompt_tile<kRows>(p.input.halves + row * cols + k,
                           p.input.half_scales + (row * cols + k) / kHalfGroup, cols,
                           count / kHalfGroup, strip.weights, sums + r * kRowSums);
      };
      std::uint32_t r = 0;
      for (; r + kTileRows <= rows; r += kTileRows) tile.operator()<kTileRows>(r);
      for (; r + 2 <= rows; r += 2) tile.operator()<2>(r);
      if (r < rows) tile.operator()<1>(r);
    }
    for (std::uint32_t r = 0; r < rows; ++r)
      for (std::uint32_t c = 0; c < panels; ++c)
        store_outputs(p, panel + c, p.row_begin + r,
                      outputs_of(sums + r * kRowSums + std::size_t{c / 2} * 32, c % 2));
  }
}

// ---- The table

void to_halves(const float* x, std::uint32_t cols, std::uint16_t* halves, float* scales) {
  for (std::uint32_t begin = 0; begin < cols; begin += kHalfGroup) {
    __m512 largest = _mm512_setzero_ps();
    for (std::uint32_t k = begin; k < begin + kHalfGroup; k += 16)
      largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_loadu_ps(x + k)));
    const float scale = _mm512_reduce_max_ps(largest);
    *scales++ = scale;
    const __m512 inverse = _mm512_set1_ps(scale > 0 ? 1.0f / scale : 0);
    for (std::uint32_t k = begin; k < begin + kHalfGroup; k += 16) {
      const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(x + k), inverse);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves + k),
                          _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
  }
}

void generated(const PanelProduct& p) {
  if (p.type == DType::f16 && p.input.halves != nullptr) return generated_halves(p);
  kAvx512Matmul.generated(p);
}

void prompt(const PanelProduct& p) {
  if (p.type == DType::f16 && p.input.halves != nullptr) return prompt_halves(p);
  kAvx512Matmul.prompt(p);
}

void quantize(const float* x, std::uint32_t cols, std::int8_t* q, float* scales) {
  kAvx512Matmul.quantize(x, cols, q, scales);
}

std::int32_t offset(DType type) { return kAvx512Matmul.offset(type); }

std::size_t scratch_bytes(std::uint32_t rows) {
  return std::max(sizeof(Strip) + std::size_t{rows} * kPanels * kPanelRows * sizeof(float),
                  kAvx512Matmul.scratch_bytes(rows));
}

}  // namespace

const MatmulKernels kAvx512Fp16Matmul = {quantize, generated, prompt,  offset,
                                         nullptr,  to_halves, kPanels, scratch_bytes};

}  // namespace drystone

#include "compute/cpu/vector_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "compute/blocks/half.h"

namespace drystone {
namespace {

std::vector<float> random_values(std::size_t n, std::uint32_t seed, float spread = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> out(n);
  for (float& x : out) x = normal(rng);
  return out;
}

// Largest |got - expected| relative to |expected| + floor.
double error_of(const std::vector<float>& got, const std::vector<double>& expected, double floor) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]) / (std::abs(expected[i]) + floor));
  }
  return worst;
}

std::size_t row_bytes(KvType type, std::uint32_t head_dim) {
  return type == KvType::f32   ? 4 * head_dim
         : type == KvType::f16 ? 2 * head_dim
                               : (head_dim + 31) / 32 * 34;
}

// What a cached row holds, read by the format's definition.
std::vector<double> cached_row(const std::byte* row, std::uint32_t head_dim, KvType type) {
  std::vector<double> out(head_dim);
  for (std::uint32_t i = 0; i < head_dim; ++i) {
    if (type == KvType::f32) {
      float x;
      std::memcpy(&x, row + 4 * i, 4);
      out[i] = x;
      continue;
    }
    const std::byte* at = type == KvType::f16 ? row + 2 * i : row + i / 32 * 34;
    std::uint16_t half;
    std::memcpy(&half, at, 2);
    out[i] = f16_to_f32(half);
    if (type == KvType::q8_0) out[i] *= static_cast<std::int8_t>(at[2 + i % 32]);
  }
  return out;
}

// What a block of keys holds of its key number `key`, likewise.
std::vector<double> cached_key(const std::byte* block, std::uint32_t key, std::uint32_t head_dim,
                               KvType type) {
  const std::size_t size = type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1;
  const std::uint32_t groups = (head_dim + 31) / 32;
  const std::byte* data = type == KvType::q8_0 ? block + 2 * groups * kKeyBlock : block;
  std::vector<double> out(head_dim);
  for (std::uint32_t i = 0; i < head_dim; ++i) {
    const std::byte* at = data + (i * kKeyBlock + key) * size;
    if (type != KvType::q8_0) {
      out[i] = cached_row(at, 1, type)[0];
      continue;
    }
    out[i] = cached_row(block + 2 * (i / 32 * kKeyBlock + key), 1, KvType::f16)[0] *
             static_cast<std::int8_t>(*at);
  }
  return out;
}

// A sequence whose pages lie in shuffled order; what lies between its last position and the page's
// end is not a number.
struct Sequence {
  std::uint32_t head_dim, positions, page_tokens, kv_heads = 2;
  KvType type;
  std::vector<std::uint32_t> pages;
  std::vector<std::byte> memory[2];  // K, V

  Sequence(std::uint32_t dim, std::uint32_t n, KvType t, std::uint32_t page_size,
           std::uint32_t seed, const VectorKernels& kernels)
      : head_dim(dim), positions(n), page_tokens(page_size), type(t) {
    const std::uint32_t count = (n + page_tokens - 1) / page_tokens;
    pages.resize(count);
    std::iota(pages.begin(), pages.end(), 1u);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(seed));
    for (int which = 0; which < 2; ++which) {
      memory[which].assign((count + 1) * view(which).page_bytes, std::byte{0xff});
      const std::vector<float> values =
          random_values(std::size_t{kv_heads} * n * dim, seed + which + 1);
      for (std::uint32_t h = 0; h < kv_heads; ++h) {
        for (std::uint32_t p = 0; p < n; ++p) {
          const float* x = values.data() + (std::size_t{h} * n + p) * dim;
          if (which == 0)
            kernels.store_key(x, row(0, h, p / kKeyBlock * kKeyBlock), p % kKeyBlock, dim, t);
          else
            kernels.store_value(x, row(1, h, p), dim, t);
        }
      }
    }
  }
  KvView view(int which) const {
    const std::size_t row = row_bytes(type, head_dim);
    return {memory[which].data(),
            row * page_tokens * kv_heads,
            row * page_tokens,
            row,
            pages.data(),
            page_tokens,
            type};
  }
  std::byte* row(int which, std::uint32_t head, std::uint32_t position) {
    const KvView v = view(which);
    return memory[which].data() + pages[position / page_tokens] * v.page_bytes +
           head * v.head_bytes + position % page_tokens * v.row_bytes;
  }
  std::vector<double> key(std::uint32_t head, std::uint32_t position) {
    return cached_key(row(0, head, position / kKeyBlock * kKeyBlock), position % kKeyBlock,
                      head_dim, type);
  }
};

struct Options {
  float softcap = 0;
  std::uint32_t window = 0;
};

// Rows [first, first + rows) of the sequence's last `q` rows.
std::vector<float> attend(const VectorKernels& kernels, const Sequence& s,
                          const std::vector<float>& q, std::uint32_t first, std::uint32_t rows,
                          std::uint32_t position, Options options) {
  const std::size_t stride = s.head_dim + 16;  // between rows lie other heads
  std::vector<float> in(stride * rows, NAN), out(stride * rows, NAN),
      scratch(attention_scratch_floats(s.head_dim), NAN);
  for (std::uint32_t r = 0; r < rows; ++r) {
    std::copy_n(q.begin() + (first + r) * s.head_dim, s.head_dim, in.begin() + r * stride);
  }
  kernels.attend({.q = in.data(),
                  .q_stride = stride,
                  .out = out.data(),
                  .out_stride = stride,
                  .rows = rows,
                  .heads = 1,
                  .position = position,
                  .head_dim = s.head_dim,
                  .kv_head = 1,
                  .k = s.view(0),
                  .v = s.view(1),
                  .scale = 1 / std::sqrt(static_cast<float>(s.head_dim)),
                  .softcap = options.softcap,
                  .window = options.window,
                  .scratch = scratch.data()});
  std::vector<float> packed;
  for (std::uint32_t r = 0; r < rows; ++r) {
    packed.insert(packed.end(), out.begin() + r * stride, out.begin() + r * stride + s.head_dim);
    for (std::size_t i = s.head_dim; i < stride; ++i)
      EXPECT_TRUE(std::isnan(out[r * stride + i])) << "wrote past the head";
  }
  return packed;
}

std::vector<double> reference(Sequence& s, const float* q, std::uint32_t position,
                              Options options) {
  const std::uint32_t begin =
      options.window > 0 && position >= options.window ? position - options.window + 1 : 0;
  std::vector<double> scores, out(s.head_dim);
  for (std::uint32_t p = begin; p <= position; ++p) {
    const auto k = s.key(1, p);
    double dot = 0;
    for (std::uint32_t i = 0; i < s.head_dim; ++i) dot += q[i] * k[i];
    dot /= std::sqrt(static_cast<double>(s.head_dim));
    scores.push_back(options.softcap > 0 ? options.softcap * std::tanh(dot / options.softcap)
                                         : dot);
  }
  const double max = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& x : scores) sum += x = std::exp(x - max);
  for (std::uint32_t p = begin; p <= position; ++p) {
    const auto v = cached_row(s.row(1, 1, p), s.head_dim, s.type);
    for (std::uint32_t i = 0; i < s.head_dim; ++i) out[i] += scores[p - begin] / sum * v[i];
  }
  return out;
}

class VectorKernelsTest : public testing::TestWithParam<Isa> {
 protected:
  const VectorKernels& kernels = vector_kernels(GetParam());
};

constexpr KvType kTypes[] = {KvType::f16, KvType::f32, KvType::q8_0};
// Lengths with and without a rest after whole vectors.
constexpr std::uint32_t kLengths[] = {1, 2, 8, 15, 16, 17, 31, 64, 80, 100, 129, 1000, 2048, 5120};

// Attention is half of what a model knows of its context: any error here moves every logit.
TEST_P(VectorKernelsTest, AttentionMatchesDoublePrecision) {
  for (const std::uint32_t head_dim : {2u, 8u, 64u, 80u, 96u, 128u, 256u}) {
    for (const KvType type : kTypes) {
      for (const Options options : {Options{}, Options{.softcap = 5}, Options{.window = 50}}) {
        const std::uint32_t rows = 41, positions = 150, position = positions - rows;
        Sequence s(head_dim, positions, type, 64, head_dim, kernels);
        const auto q = random_values(std::size_t{rows} * head_dim, 7, 2);
        const auto got = attend(kernels, s, q, 0, rows, position, options);
        for (std::uint32_t r = 0; r < rows; ++r) {
          const std::vector<float> row(got.begin() + r * head_dim,
                                       got.begin() + (r + 1) * head_dim);
          // Sums of up to 256 products, then 150 weights; values are near 1.
          ASSERT_LT(error_of(row, reference(s, q.data() + r * head_dim, position + r, options), 1),
                    5e-6)
              << "head_dim " << head_dim << " type " << static_cast<int>(type) << " row " << r
              << " window " << options.window << " softcap " << options.softcap;
        }
      }
    }
  }
}

// Heads that share keys are computed together for speed alone: models with and without such heads,
// and devices that cut between them, must agree.
TEST_P(VectorKernelsTest, AttentionOfSeveralHeadsIsThatOfEach) {
  const std::uint32_t head_dim = 64, heads = 3, positions = 130;
  for (const std::uint32_t rows : {1u, 2u, 23u}) {
    for (const KvType type : kTypes) {
      for (const Options options : {Options{}, Options{.window = 37}}) {
        const std::uint32_t position = positions - rows;
        Sequence s(head_dim, positions, type, 64, 1, kernels);
        const std::size_t width = std::size_t{heads} * head_dim;
        const auto q = random_values(rows * width, 11, 2);
        std::vector<float> together(rows * width, NAN),
            scratch(attention_scratch_floats(head_dim), NAN);
        AttentionTask task{.q = q.data(),
                           .q_stride = width,
                           .out = together.data(),
                           .out_stride = width,
                           .rows = rows,
                           .heads = heads,
                           .position = position,
                           .head_dim = head_dim,
                           .kv_head = 1,
                           .k = s.view(0),
                           .v = s.view(1),
                           .scale = 1 / std::sqrt(static_cast<float>(head_dim)),
                           .softcap = options.softcap,
                           .window = options.window,
                           .scratch = scratch.data()};
        kernels.attend(task);
        std::vector<float> each(rows * width, NAN);
        task.heads = 1;
        for (std::uint32_t h = 0; h < heads; ++h) {
          task.q = q.data() + h * head_dim;
          task.out = each.data() + h * head_dim;
          kernels.attend(task);
        }
        EXPECT_EQ(together, each) << rows << " rows, type " << static_cast<int>(type);
      }
    }
  }
}

// The same prompt must give the same text whatever the batcher makes of it: every row alone, in
// pieces, or at once.
TEST_P(VectorKernelsTest, AttentionDoesNotDependOnChunksOrPages) {
  for (const std::uint32_t head_dim : {64u, 80u, 128u}) {
    for (const KvType type : kTypes) {
      for (const Options options : {Options{}, Options{.window = 37}, Options{.softcap = 20}}) {
        const std::uint32_t rows = 110, positions = 130, position = positions - rows;
        Sequence s(head_dim, positions, type, 64, 1, kernels);
        Sequence moved = s;  // the same values on other pages, of another size
        moved = Sequence(head_dim, positions, type, 32, 1, kernels);
        const auto q = random_values(std::size_t{rows} * head_dim, 9, 2);
        const auto whole = attend(kernels, s, q, 0, rows, position, options);
        EXPECT_EQ(whole, attend(kernels, moved, q, 0, rows, position, options)) << "other pages";
        for (const std::uint32_t chunk : {1u, 2u, 3u, 7u, 32u, 33u}) {
          std::vector<float> pieces;
          for (std::uint32_t r = 0; r < rows; r += chunk) {
            const auto piece =
                attend(kernels, s, q, r, std::min(chunk, rows - r), position + r, options);
            pieces.insert(pieces.end(), piece.begin(), piece.end());
          }
          EXPECT_EQ(whole, pieces) << "chunk " << chunk << " head_dim " << head_dim << " type "
                                   << static_cast<int>(type);
        }
      }
    }
  }
}

// A single huge score must neither overflow nor drown in what came before.
TEST_P(VectorKernelsTest, AttentionSurvivesLargeScores) {
  Sequence s(64, 100, KvType::f32, 64, 3, kernels);
  const auto q = random_values(64, 4, 300);
  const auto got = attend(kernels, s, q, 0, 1, 99, {});
  EXPECT_LT(error_of(got, reference(s, q.data(), 99, {}), 1),
            2e-4);  // scores near 1000 carry errors of 1e-4
}

TEST_P(VectorKernelsTest, NormMatchesDoublePrecision) {
  for (const std::uint32_t n : kLengths) {
    const auto x = random_values(n, n), weight = random_values(n, n + 1);
    std::vector<float> out(n);
    kernels.rms_norm(x.data(), weight.data(), 1e-6f, out.data(), n);
    double sum = 0;
    for (const float v : x) sum += double{v} * v;
    std::vector<double> expected(n);
    for (std::uint32_t i = 0; i < n; ++i)
      expected[i] = x[i] / std::sqrt(sum / n + 1e-6) * weight[i];
    EXPECT_LT(error_of(out, expected, 1e-6), 1e-6) << n;
    auto in_place = x;
    kernels.rms_norm(in_place.data(), weight.data(), 1e-6f, in_place.data(), n);
    EXPECT_EQ(in_place, out) << n;
  }
}

TEST_P(VectorKernelsTest, ActivationsMatchDoublePrecision) {
  for (const std::uint32_t n : kLengths) {
    const auto gate = random_values(n, n, 6), up = random_values(n, n + 1);
    std::vector<float> silu(n), gelu(n), cap = gate;
    kernels.silu_mul(gate.data(), up.data(), silu.data(), n);
    kernels.gelu_mul(gate.data(), up.data(), gelu.data(), n);
    kernels.softcap(cap.data(), 5, n);
    std::vector<double> silu_expected(n), gelu_expected(n), cap_expected(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      const double g = gate[i];
      silu_expected[i] = g / (1 + std::exp(-g)) * up[i];
      const double x = std::abs(g) < 10 ? f16_to_f32(f32_to_f16(gate[i])) : g;
      const double formula =
          0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
      gelu_expected[i] =
          std::abs(g) < 10 ? double{f16_to_f32(f32_to_f16(static_cast<float>(formula)))} : formula;
      gelu_expected[i] *= up[i];
      cap_expected[i] = 5 * std::tanh(g / 5);
    }
    EXPECT_LT(error_of(silu, silu_expected, 1e-6), 2e-6) << n;
    EXPECT_LT(error_of(gelu, gelu_expected, 1e-3), 1e-3)
        << n;  // the other of two neighbouring f16, where close
    EXPECT_LT(error_of(cap, cap_expected, 1e-6), 2e-6) << n;
  }
}

// Gates far out must saturate, not become NaN.
TEST_P(VectorKernelsTest, ActivationsSaturate) {
  const std::vector<float> gate = {-1e30f, -200, -90, 0, 90, 200, 1e30f}, up(7, 1.0f);
  std::vector<float> silu(7), gelu(7), cap = gate;
  kernels.silu_mul(gate.data(), up.data(), silu.data(), 7);
  kernels.gelu_mul(gate.data(), up.data(), gelu.data(), 7);
  kernels.softcap(cap.data(), 30, 7);
  EXPECT_NEAR(silu[1], 0, 1e-30);
  EXPECT_EQ(silu[3], 0);
  EXPECT_FLOAT_EQ(silu[5], 200);
  EXPECT_NEAR(gelu[1], 0, 1e-30);
  EXPECT_FLOAT_EQ(gelu[5], 200);
  EXPECT_FLOAT_EQ(cap[0], -30);
  EXPECT_FLOAT_EQ(cap[6], 30);
  for (const float v : silu) EXPECT_FALSE(std::isnan(v));
}

// llama.cpp's table of f16 ends at 10: large gates keep all their digits, and those beyond f16 stay
// finite.
TEST_P(VectorKernelsTest, GeluIsTheGateItselfFarOut) {
  const std::vector<float> gate = {12.3456789f, 10, 1e5f, -10, -12.3f, -1e5f},
                           up = {2, 3, 0.5f, 5, 6, 7};
  std::vector<float> gelu(6);
  kernels.gelu_mul(gate.data(), up.data(), gelu.data(), 6);
  EXPECT_EQ(gelu, (std::vector<float>{2 * 12.3456789f, 30, 5e4f, 0, 0, 0}));
  const float nan = NAN, one = 1;
  kernels.gelu_mul(&nan, &one, gelu.data(), 1);
  EXPECT_TRUE(std::isnan(gelu[0])) << "a broken gate must not pass for a number";
}

TEST_P(VectorKernelsTest, SimpleLoopsTouchExactlyTheirValues) {
  for (const std::uint32_t n : kLengths) {
    auto acc = random_values(n + 1, n), x = random_values(n + 1, n + 1);
    const auto before = acc;
    kernels.add(acc.data(), x.data(), n);
    for (std::uint32_t i = 0; i < n; ++i) ASSERT_EQ(acc[i], before[i] + x[i]) << n << " " << i;
    EXPECT_EQ(acc[n], before[n]);
    auto scaled = before;
    kernels.scale(scaled.data(), 3, n);
    for (std::uint32_t i = 0; i < n; ++i) ASSERT_EQ(scaled[i], before[i] * 3);
    EXPECT_EQ(scaled[n], before[n]);
  }
}

TEST_P(VectorKernelsTest, RopeRotatesPairs) {
  for (const bool interleaved : {false, true}) {
    for (const std::uint32_t pairs : {1u, 4u, 20u, 32u, 64u}) {
      const auto x = random_values(2 * pairs, pairs);
      std::vector<float> turned = x, cos_sin;
      for (std::uint32_t i = 0; i < pairs; ++i)
        cos_sin.insert(cos_sin.end(), {std::cos(0.1f * i), std::sin(0.1f * i)});
      kernels.rope(turned.data(), cos_sin.data(), pairs, interleaved);
      for (std::uint32_t i = 0; i < pairs; ++i) {
        const std::uint32_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + pairs;
        const double c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
        EXPECT_NEAR(turned[a], x[a] * c - x[b] * s, 1e-6);
        EXPECT_NEAR(turned[b], x[a] * s + x[b] * c, 1e-6);
      }
    }
  }
}

// A row must hold the nearest values of its type, and nothing outside it may change.
TEST_P(VectorKernelsTest, CacheRowsHoldTheNearestValues) {
  for (const std::uint32_t head_dim : {2u, 8u, 64u, 80u, 96u, 128u}) {
    for (const KvType type : kTypes) {
      const auto x = random_values(head_dim, head_dim);
      const std::size_t bytes = row_bytes(type, head_dim);
      std::vector<std::byte> row(bytes + 1, std::byte{0x5a});
      kernels.store_value(x.data(), row.data(), head_dim, type);
      EXPECT_EQ(row[bytes], std::byte{0x5a});
      const auto held = cached_row(row.data(), head_dim, type);
      std::vector<std::byte> block(kKeyBlock * bytes + 1, std::byte{0x5a});
      kernels.store_key(x.data(), block.data(), 7, head_dim, type);
      EXPECT_EQ(block.back(), std::byte{0x5a});
      EXPECT_EQ(cached_key(block.data(), 7, head_dim, type), held);
      for (std::uint32_t i = 0; i < head_dim; ++i) {
        float max = 0;
        for (std::uint32_t j = i / 32 * 32; j < std::min(head_dim, i / 32 * 32 + 32); ++j)
          max = std::max(max, std::abs(x[j]));
        const double tolerance = type == KvType::f32   ? 0
                                 : type == KvType::f16 ? std::abs(x[i]) * 0x1p-11 + 1e-7
                                                       : max / 127 * 0.57;
        EXPECT_NEAR(held[i], x[i], tolerance) << head_dim << " " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, VectorKernelsTest,
                         testing::ValuesIn(testable_isas().begin(), testable_isas().end()),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace drystone

#include "compute/cpu/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "compute/blocks/dequantize.h"
#include "compute/blocks/half.h"
#include "compute/cpu/matmul/kernels.h"
#include "compute/cpu/matmul/layout.h"
#include "compute/cpu/matmul/tables.h"
#include "compute/cpu/random_weights.h"

namespace drystone {
namespace {

constexpr DType kTypes[] = {DType::f32,  DType::f16,    DType::bf16,   DType::q8_0,
                            DType::q4_0, DType::q4_1,   DType::q5_0,   DType::q5_1,
                            DType::q2_k, DType::q3_k,   DType::q4_k,   DType::q5_k,
                            DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};

bool is_amx(Isa isa) { return isa == Isa::amx || isa == Isa::amx_emulated; }

// Where f16 weights are multiplied in f16.
bool in_halves(Isa isa, DType type) { return isa == Isa::avx512_fp16 && type == DType::f16; }

struct Problem {
  DType type;
  std::uint32_t outputs, cols, rows;
  std::vector<std::byte> weights;
  std::vector<float> x, bias;
};

Problem make_problem(DType type, std::uint32_t outputs, std::uint32_t cols, std::uint32_t rows) {
  Rng rng(17 + static_cast<std::uint32_t>(type));
  Problem problem{type,
                  outputs,
                  cols,
                  rows,
                  {},
                  std::vector<float>(std::size_t{rows} * cols),
                  std::vector<float>(outputs)};
  for (std::uint32_t r = 0; r < outputs; ++r) {
    const auto row = random_weights(type, cols, rng);
    problem.weights.insert(problem.weights.end(), row.begin(), row.end());
  }
  for (auto& x : problem.x) x = rng.normal();
  for (auto& b : problem.bias) b = rng.normal();
  return problem;
}

// The product by `isa` with the first `generated` rows as generated rows, `rows_at_once` rows at a
// time.
std::vector<float> product(const Problem& problem, Isa isa, int threads, std::uint32_t generated,
                           std::uint32_t rows_at_once) {
  ThreadPool pool(threads);
  auto packed =
      PackedMatrix::pack(pool, problem.type, problem.outputs, problem.cols, problem.weights);
  EXPECT_TRUE(packed) << packed.error().message();
  Activations activations(isa, threads, rows_at_once, problem.cols);
  std::vector<float> out(std::size_t{problem.rows} * problem.outputs, 0.5f);
  for (std::uint32_t row = 0; row < problem.rows; row += rows_at_once) {
    const std::uint32_t rows = std::min(rows_at_once, problem.rows - row);
    const std::uint32_t generated_here = generated > row ? std::min(generated - row, rows) : 0;
    activations.prepare(pool, problem.x.data() + std::size_t{row} * problem.cols, rows,
                        generated_here, problem.cols, std::span(&problem.type, 1));
    const MatmulPart part{.weight = &*packed,
                          .bias = problem.bias.data(),
                          .out = out.data() + std::size_t{row} * problem.outputs,
                          .out_stride = problem.outputs,
                          .accumulate = true};
    matmul(pool, activations, std::span(&part, 1));
  }
  return out;
}

std::vector<double> exact_product(const Problem& problem, std::vector<double>& magnitudes) {
  std::vector<double> out;
  std::vector<float> w(problem.cols);
  const std::size_t row_size = row_bytes(problem.type, problem.cols);
  out.resize(std::size_t{problem.rows} * problem.outputs);
  magnitudes.resize(out.size());
  for (std::uint32_t o = 0; o < problem.outputs; ++o) {
    dequantize_row(problem.type, problem.weights.data() + o * row_size, w.data(), problem.cols);
    for (std::uint32_t r = 0; r < problem.rows; ++r) {
      double sum = 0, squares = 0;
      for (std::uint32_t k = 0; k < problem.cols; ++k) {
        const double term = double{w[k]} * problem.x[std::size_t{r} * problem.cols + k];
        sum += term;
        squares += term * term;
      }
      out[std::size_t{r} * problem.outputs + o] = 0.5 + problem.bias[o] + sum;
      magnitudes[std::size_t{r} * problem.outputs + o] = std::sqrt(squares) + 1e-3;
    }
  }
  return out;
}

class MatmulTypes : public testing::TestWithParam<DType> {};

// So many rows are always the kernel's for many, and one row that for few: what is between is
// tried, and may be either.
constexpr std::uint32_t kAlwaysMany = 67;

// Whatever the weights' type, a product is the product: within the error of 8-bit activations, of
// sums for floats.
TEST_P(MatmulTypes, AgreesWithExactArithmetic) {
  const Problem problem = make_problem(GetParam(), 40, 768, kAlwaysMany);
  std::vector<double> magnitudes;
  const auto exact = exact_product(problem, magnitudes);
  const bool is_float =
      GetParam() == DType::f32 || GetParam() == DType::f16 || GetParam() == DType::bf16;
  for (const Isa isa : testable_isas()) {
    for (const std::uint32_t generated : {0u, problem.rows}) {
      const auto ours = product(problem, isa, 1, generated, problem.rows);
      double worst = 0;
      for (std::size_t i = 0; i < ours.size(); ++i)
        worst = std::max(worst, std::abs(ours[i] - exact[i]) / magnitudes[i]);
      // Rounding to 8 bits is off by at most 1/254 of the group's largest value (about 3 here), so
      // by 0.3% of a typical term on average; the errors add up like the terms do. AMX rounds both
      // sides of prompt rows to bf16. Sums of 32 in f16 are off by 2^-11 of a typical term, some 4
      // times.
      const double bound = in_halves(isa, GetParam())                     ? 0.006
                           : is_float && !(is_amx(isa) && generated == 0) ? 1e-5
                                                                          : 0.03;
      EXPECT_LT(worst, bound) << to_string(isa) << (generated ? " generated rows" : " prompt rows");
    }
  }
}

// All instruction sets compute the same sums in the same order, so that portable C++ checks them to
// the last bit.
TEST_P(MatmulTypes, AllInstructionSetsGiveTheSameBits) {
  const Problem problem = make_problem(GetParam(), 40, 768, kAlwaysMany);
  const auto expected = product(problem, Isa::portable, 1, problem.rows, problem.rows);
  for (const Isa isa : testable_isas()) {
    if (in_halves(isa, GetParam())) continue;
    EXPECT_EQ(expected, product(problem, isa, 1, problem.rows, problem.rows))
        << to_string(isa) << " generated rows";
    if (is_amx(isa)) continue;  // Prompt rows have bf16 arithmetic there.
    EXPECT_EQ(expected, product(problem, isa, 1, 0, problem.rows))
        << to_string(isa) << " prompt rows";
  }
}

// Rows of one product by both kernels, without matmul(), which chooses between them.
TEST_P(MatmulTypes, TheKernelsForFewAndForManyRowsGiveTheSameBits) {
  const DType type = GetParam();
  const Problem problem = make_problem(type, 40, 768, 9);
  const std::uint32_t cols = problem.cols, sub = std::max(sub_block(type), 16u);
  ThreadPool pool(1);
  const auto packed = PackedMatrix::pack(pool, type, problem.outputs, cols, problem.weights);
  ASSERT_TRUE(packed);
  for (const Isa isa : testable_isas()) {
    const MatmulKernels& kernels = matmul_kernels(isa);
    if (kernels.to_tiles != nullptr) continue;  // AMX: another arithmetic for many
    const std::int32_t offset = sub_block(type) > 0 ? kernels.offset(type) : 0;
    std::vector<std::int8_t> q(problem.x.size());
    std::vector<float> scales(std::size_t{problem.rows} * scale_groups(cols)), sums;
    std::vector<std::int32_t> bias;
    for (std::uint32_t r = 0; r < problem.rows; ++r) {
      std::int8_t* row = q.data() + std::size_t{r} * cols;
      kernels.quantize(problem.x.data() + std::size_t{r} * cols, cols, row,
                       scales.data() + std::size_t{r} * scale_groups(cols));
      for (std::uint32_t k = 0; k < cols; k += sub) {
        const std::int32_t sum = std::accumulate(row + k, row + k + sub, 0);
        sums.push_back(static_cast<float>(sum));
        bias.push_back(-offset * sum);
      }
    }
    const auto scratch = map_memory(kernels.scratch_bytes(problem.rows));
    ASSERT_TRUE(scratch);
    const auto outputs = [&](auto kernel, std::uint32_t rows) {
      std::vector<float> out(std::size_t{rows} * problem.outputs);
      PanelProduct product{};
      product.type = type;
      product.panels = packed->data();
      product.rows = problem.outputs;
      product.panel_end = product.panel_ahead = (problem.outputs + kPanelRows - 1) / kPanelRows;
      product.input.x = problem.x.data();
      product.input.q = q.data();
      product.input.scales = scales.data();
      product.input.bias = bias.data();
      product.input.sums = sums.data();
      product.input.cols = cols;
      product.row_end = rows;
      product.out = out.data();
      product.out_stride = problem.outputs;
      product.scratch = scratch->get();
      kernel(product);
      return out;
    };
    for (std::uint32_t rows = 1; rows <= problem.rows; ++rows)
      EXPECT_EQ(outputs(kernels.generated, rows), outputs(kernels.prompt, rows))
          << to_string(isa) << " rows " << rows;
  }
}

// A request must give the same text alone or in company, in one chunk or in many, on any number of
// threads.
TEST_P(MatmulTypes, BitsDoNotDependOnThreadsOrChunks) {
  const Problem problem = make_problem(GetParam(), 72, 1280, kAlwaysMany);
  for (const Isa isa : testable_isas()) {
    if (isa == Isa::portable) continue;
    for (const std::uint32_t generated : {0u, kAlwaysMany}) {
      const auto expected = product(problem, isa, 1, generated, problem.rows);
      for (const int threads : {2, 3, 8})
        EXPECT_EQ(expected, product(problem, isa, threads, generated, problem.rows))
            << to_string(isa) << threads;
      for (const std::uint32_t rows : {1u, 2u, 5u, 16u})
        EXPECT_EQ(expected, product(problem, isa, 2, generated, rows))
            << to_string(isa) << " rows " << rows;
    }
  }
}

// Mixed steps: generated rows first, prompt rows behind; each as if alone.
TEST_P(MatmulTypes, GeneratedAndPromptRowsShareAStep) {
  const Problem problem = make_problem(GetParam(), 33, 512, kAlwaysMany);
  for (const Isa isa : testable_isas()) {
    const auto generated = product(problem, isa, 2, problem.rows, problem.rows);
    const auto prompt = product(problem, isa, 2, 0, problem.rows);
    const auto mixed = product(problem, isa, 2, 4, problem.rows);
    for (std::size_t i = 0; i < mixed.size(); ++i)
      ASSERT_EQ(mixed[i], (i < 4u * problem.outputs ? generated : prompt)[i])
          << to_string(isa) << " at " << i;
  }
}

// One fused multiply-add of f16 values: exact in double, then rounded once.
std::uint16_t fused_half(std::uint16_t a, std::uint16_t b, std::uint16_t c) {
  const double sum = double{f16_to_f32(a)} * f16_to_f32(b) + double{f16_to_f32(c)};
  // To odd: rounding to float first must not turn what is nearly a tie into one.
  auto single = static_cast<float>(sum);
  if (static_cast<double>(single) != sum && (std::bit_cast<std::uint32_t>(single) & 1) == 0)
    single = std::nextafterf(single, sum > single ? INFINITY : -INFINITY);
  return f32_to_f16(single);
}

// What the products with f16 weights are by their description, in plain arithmetic.
std::vector<float> product_in_halves(const Problem& problem) {
  constexpr std::uint32_t kGroup = 64;
  std::vector<float> out;
  std::vector<std::uint16_t> w(problem.cols);
  for (std::uint32_t r = 0; r < problem.rows; ++r) {
    const float* x = problem.x.data() + std::size_t{r} * problem.cols;
    for (std::uint32_t o = 0; o < problem.outputs; ++o) {
      std::memcpy(w.data(), problem.weights.data() + std::size_t{o} * problem.cols * 2,
                  std::size_t{problem.cols} * 2);
      float total = 0;
      for (std::uint32_t begin = 0; begin < problem.cols; begin += kGroup) {
        float scale = 0;
        for (std::uint32_t k = begin; k < begin + kGroup; ++k)
          scale = std::max(scale, std::abs(x[k]));
        const float inverse = 1.0f / scale;
        std::uint16_t chains[2] = {0, 0};
        for (std::uint32_t k = begin; k < begin + kGroup; ++k)
          chains[k % 2] = fused_half(w[k], f32_to_f16(x[k] * inverse), chains[k % 2]);
        const float sum = f16_to_f32(f32_to_f16(f16_to_f32(chains[0]) + f16_to_f32(chains[1])));
        total = std::fma(sum, scale, total);
      }
      out.push_back(0.5f + (total + problem.bias[o]));
    }
  }
  return out;
}

// The one arithmetic that portable C++ does not have is held to its description, to the last bit.
TEST(MatmulHalves, AreWhatTheyAreDescribedToBe) {
  if (std::ranges::find(testable_isas(), Isa::avx512_fp16) == testable_isas().end())
    GTEST_SKIP() << "this machine has no AVX512-FP16";
  const Problem problem = make_problem(DType::f16, 40, 768, 7);
  const auto expected = product_in_halves(problem);
  EXPECT_EQ(expected, product(problem, Isa::avx512_fp16, 1, problem.rows, problem.rows));
  EXPECT_EQ(expected, product(problem, Isa::avx512_fp16, 1, 0, problem.rows));
}

// Weights so large that sums could leave f16's range, and rows that are no whole groups, are
// multiplied in f32.
TEST(MatmulHalves, TakeOnlyWhatFits) {
  for (const std::uint32_t cols : {704u, 720u}) {
    Problem problem = make_problem(DType::f16, 24, cols, 9);
    if (cols == 704) {
      const std::uint16_t large = f32_to_f16(2000);
      std::memcpy(problem.weights.data(), &large, 2);
    }
    const auto expected = product(problem, Isa::portable, 1, 0, problem.rows);
    for (const Isa isa : testable_isas()) {
      if (is_amx(isa)) continue;
      EXPECT_EQ(expected, product(problem, isa, 1, 0, problem.rows)) << to_string(isa) << cols;
      EXPECT_EQ(expected, product(problem, isa, 1, problem.rows, problem.rows))
          << to_string(isa) << cols;
    }
  }
}

// A tied output matrix serves embedding look-ups too: its rows must come back as they were.
TEST_P(MatmulTypes, RowsUnpackToWhatWasPacked) {
  const Problem problem = make_problem(GetParam(), 21, 256, 1);
  ThreadPool pool(1);
  const auto packed =
      PackedMatrix::pack(pool, problem.type, problem.outputs, problem.cols, problem.weights);
  ASSERT_TRUE(packed);
  std::vector<float> expected(problem.cols), actual(problem.cols);
  for (std::uint32_t row = 0; row < problem.outputs; ++row) {
    dequantize_row(problem.type,
                   problem.weights.data() + row * row_bytes(problem.type, problem.cols),
                   expected.data(), problem.cols);
    packed->unpack_row(row, actual.data());
    ASSERT_EQ(expected, actual) << "row " << row;
  }
}

// A type that is known by name only is refused before memory is taken.
TEST(Matmul, RefusesTypesItCannotComputeWith) {
  ThreadPool pool(1);
  const auto packed = PackedMatrix::pack(pool, DType::iq2_xs, 1, 256, {});
  ASSERT_TRUE(packed.is(Errc::unsupported));
  EXPECT_NE(packed.error().message().find("iq2_xs"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulTypes, testing::ValuesIn(kTypes),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace drystone

#include "app/node/measure/product_rates.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/rng.h"
#include "compute/cpu/random_weights.h"

namespace drystone {
namespace {

// Of the weights that are multiplied: as large as a matrix of a model, since small ones are not
// read at full speed.
constexpr std::uint32_t kCols = 2048, kRowsMin = 8192, kRowsPerThread = 128;
static_assert(kRowsMin % kRowsPerThread == 0);
constexpr std::size_t kTries = 3;
constexpr std::uint32_t kMadeRows = 128;  // that are random; the others repeat them
constexpr std::uint32_t kFewPromptRows = 64, kPromptRows = 256;

// The best of such short times is a moment that no whole step has: a machine's memory, and its
// processor where others share it, are slower and faster from one to the next.
template <typename Try>
double usual_s(Try once_s) {
  std::array<double, kTries> times;
  for (double& time : times) time = once_s();
  const auto middle = times.begin() + kTries / 2;
  std::ranges::nth_element(times, middle);
  return *middle;
}

}  // namespace

ProductRates::ProductRates(const Options& options, const Clock& clock)
    : isa_(options.isa),
      clock_(clock),
      pool_(options.threads),
      rows_(std::max(kRowsMin, kRowsPerThread * static_cast<std::uint32_t>(options.threads))),
      input_(std::size_t{kPromptRows} * kCols),
      output_(std::size_t{kPromptRows} * rows_),
      activations_(isa_, options.threads, kPromptRows, kCols),
      sweep_(pool_, options.sweep_bytes) {
  Rng rng(1);
  for (float& value : input_) value = static_cast<float>(rng.uniform_double()) - 0.5f;
}

Rates ProductRates::of(DType type) {
  Rng rng(2);
  const auto made = random_weights(type, std::size_t{kMadeRows} * kCols, rng);
  std::vector<std::byte> source;
  source.reserve(made.size() * rows_ / kMadeRows);
  for (std::uint32_t row = 0; row < rows_; row += kMadeRows)
    source.insert(source.end(), made.begin(), made.end());
  const auto weights = PackedMatrix::pack(pool_, type, rows_, kCols, source);
  if (!weights) return {};
  // Slow machines need no long runs to be measured.
  constexpr double kQuick_s = 0.01;
  double time_s = time(*weights, kFewPromptRows, 0);
  std::uint32_t rows = kFewPromptRows;
  if (time_s < kQuick_s) time_s = time(*weights, rows = kPromptRows, 0);
  Rates rates{.prompt = rate(rows, time_s)};
  if (!sweep_.works()) {
    rates.generated = rate(kManyGenerated, time(*weights, kManyGenerated, kManyGenerated));
    return rates;
  }
  rates.generated = rate(kManyGenerated, streamed_s(*weights, kManyGenerated));
  rates.few = rate(kFewGenerated, streamed_s(*weights, kFewGenerated));
  rates.streamed = rate(1, streamed_s(*weights, 1));
  return rates;
}

double ProductRates::rate(std::uint32_t rows, double time_s) const {
  return 1.0 * rows * rows_ * kCols / time_s;
}

double ProductRates::time(const PackedMatrix& weights, std::uint32_t rows,
                          std::uint32_t generated) {
  return usual_s([&] { return once_s(weights, rows, generated); });
}

// When no cache has the weights.
double ProductRates::streamed_s(const PackedMatrix& weights, std::uint32_t generated) {
  return usual_s([&] {
    sweep_();
    return once_s(weights, generated, generated);
  });
}

double ProductRates::once_s(const PackedMatrix& weights, std::uint32_t rows,
                            std::uint32_t generated) {
  const DType type = weights.type();
  const MatmulPart part{.weight = &weights, .out = output_.data(), .out_stride = rows_};
  const auto start = clock_.monotonic();
  activations_.prepare(pool_, input_.data(), rows, generated, kCols, {&type, 1});
  matmul(pool_, activations_, {&part, 1});
  return std::max(seconds(clock_.monotonic() - start), 1e-9);
}

}  // namespace drystone

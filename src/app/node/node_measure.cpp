#include "app/node/node_measure.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "app/load/read_bandwidth.h"
#include "compute/cpu/cpu_device.h"
#include "compute/cpu/device/reserved_memory.h"
#include "compute/cpu/matmul.h"
#include "compute/cpu/random_weights.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

// Of the weights that are multiplied: as large as a matrix of a model, since small ones are not
// read at full speed.
constexpr std::uint32_t kCols = 2048, kRowsMin = 8192, kRowsPerThread = 128;
static_assert(kRowsMin % kRowsPerThread == 0);
constexpr int kStreamedTries = 4;
constexpr std::uint32_t kMadeRows = 128;  // that are random; the others repeat them
constexpr Bytes kSweepBytes = 256 * kMiB;
constexpr std::uint32_t kFewPromptRows = 64, kPromptRows = 256;
// A generated row alone waits for memory anyway; what computing costs shows with several.
constexpr std::uint32_t kGeneratedRows = 8;
constexpr Bytes kBandwidthBufferMin = 64 * kMiB;
constexpr std::uint32_t kContext = 1024, kBatch = 128;

// Read as often as figures want memory instead of a cache.
Bytes buffer_bytes(const MeasureOptions& options) {
  return std::min(kReadBufferBytes, options.memory_bytes / 4 / kMiB * kMiB);
}

// The best of tries that take kEnough_s together, and at least kTriesMin of them.
template <typename Work>
double best_s(const Clock& clock, Work work) {
  constexpr double kEnough_s = 0.003;
  constexpr int kTriesMin = 2, kTriesMax = 50;
  double best = 1e9, all = 0;
  for (int i = 0; i < kTriesMax && (i < kTriesMin || all < kEnough_s); ++i) {
    const auto start = clock.monotonic();
    work();
    const double time = seconds(clock.monotonic() - start);
    best = std::min(best, time);
    all += time;
    constexpr double kSlow_s = 0.1;
    if (time > kSlow_s) break;
  }
  return std::max(best, 1e-9);
}

void keep_best(Rates& best, const Rates& rates) {
  best.prompt = std::max(best.prompt, rates.prompt);  // none is less than any
  best.generated = std::max(best.generated, rates.generated);
  best.streamed = std::max(best.streamed, rates.streamed);
}

// Memory that takes the place of everything else in the caches when it is read.
class CacheSweep {
 public:
  // Nothing is swept where `bytes` are too few or cannot be had.
  CacheSweep(ThreadPool& pool, Bytes bytes) : pool_(pool) {
    if (bytes < kBandwidthBufferMin) return;
    if (auto memory = ReservedMemory::reserve(bytes, "measuring")) memory_ = *std::move(memory);
  }
  bool works() const { return memory_.bytes() > 0; }
  void operator()() {
    const auto* words = reinterpret_cast<const std::uint64_t*>(memory_.data());
    std::atomic<std::uint64_t> kept = 0;
    pool_.for_ranges(static_cast<std::int64_t>(memory_.bytes() / sizeof(std::uint64_t)),
                     kMiB / sizeof(std::uint64_t), [&](std::int64_t begin, std::int64_t end) {
                       constexpr int kLine = 8;
                       std::uint64_t sum = 0;
                       for (std::int64_t i = begin; i < end; i += kLine) sum += words[i];
                       kept += sum;
                     });
  }

 private:
  ThreadPool& pool_;
  ReservedMemory memory_;
};

// Products of one type of weights.
class ProductRates {
 public:
  ProductRates(const MeasureOptions& options, const Clock& clock)
      : isa_(options.isa),
        clock_(clock),
        pool_(options.threads),
        rows_(std::max(kRowsMin, kRowsPerThread * static_cast<std::uint32_t>(options.threads))),
        input_(std::size_t{kPromptRows} * kCols),
        output_(std::size_t{kPromptRows} * rows_),
        activations_(isa_, options.threads, kPromptRows, kCols),
        sweep_(pool_, std::min(kSweepBytes, buffer_bytes(options))) {
    Rng rng(1);
    for (float& value : input_) value = static_cast<float>(rng.uniform_double()) - 0.5f;
  }

  Rates of(DType type) {
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
    Rates rates{.prompt = rate(rows, time_s),
                .generated = rate(kGeneratedRows, time(*weights, kGeneratedRows, kGeneratedRows))};
    if (sweep_.works()) rates.streamed = rate(1, streamed_s(*weights));
    return rates;
  }

 private:
  double rate(std::uint32_t rows, double time_s) const {
    return 1.0 * rows * rows_ * kCols / time_s;
  }

  double time(const PackedMatrix& weights, std::uint32_t rows, std::uint32_t generated) {
    return best_s(clock_, [&] { once_s(weights, rows, generated); });
  }

  // Of one row, when no cache has the weights.
  double streamed_s(const PackedMatrix& weights) {
    double best = 1e9;
    for (int i = 0; i < kStreamedTries; ++i) {
      sweep_();
      best = std::min(best, once_s(weights, 1, 1));
    }
    return best;
  }

  double once_s(const PackedMatrix& weights, std::uint32_t rows, std::uint32_t generated) {
    const DType type = weights.type();
    const MatmulPart part{.weight = &weights, .out = output_.data(), .out_stride = rows_};
    const auto start = clock_.monotonic();
    activations_.prepare(pool_, input_.data(), rows, generated, kCols, {&type, 1});
    matmul(pool_, activations_, {&part, 1});
    return std::max(seconds(clock_.monotonic() - start), 1e-9);
  }

  const Isa isa_;
  const Clock& clock_;
  ThreadPool pool_;
  const std::uint32_t rows_;
  std::vector<float> input_, output_;
  Activations activations_;
  CacheSweep sweep_;
};

// Weights that need no file: norms of 1; matrices of 0 in f32, or of rows that repeat.
class PlainSource final : public TensorSource {
 public:
  explicit PlainSource(DType matrices) : matrices_(matrices) {}

  Result<Tensor> read(const TensorSpec& spec) override {
    const DType type = type_of(spec);
    bytes_.clear();
    if (type == DType::f32) {
      const std::vector<float> values(std::size_t{spec.rows} * spec.cols,
                                      spec.role == TensorRole::norm ? 1.0f : 0.0f);
      const auto bytes = std::as_bytes(std::span(values));
      bytes_.assign(bytes.begin(), bytes.end());
    } else {
      Rng rng(3);
      const std::uint32_t rows = std::min(spec.rows, kMadeRows);
      const auto made = random_weights(type, std::size_t{rows} * spec.cols, rng);
      const std::size_t size = spec.rows * row_bytes(type, spec.cols);
      while (bytes_.size() < size)
        bytes_.insert(bytes_.end(), made.begin(),
                      made.begin() +
                          static_cast<std::ptrdiff_t>(std::min(made.size(), size - bytes_.size())));
    }
    return Tensor{type, bytes_};
  }
  Result<DType> type(const TensorSpec& spec) override { return type_of(spec); }
  Result<void> release(const TensorSpec&) override { return {}; }

 private:
  DType type_of(const TensorSpec& spec) const {
    const bool is_vector = spec.role == TensorRole::norm || spec.role == TensorRole::bias;
    return is_vector ? DType::f32 : matrices_;
  }
  const DType matrices_;
  std::vector<std::byte> bytes_;
};

// A model that does almost nothing but what is to be measured.
class TinyModel {
 public:
  // The first `layers` of them.
  static std::unique_ptr<TinyModel> load(Device& device, const ModelConfig& config,
                                         std::uint32_t layers, DType matrices = DType::f32) {
    auto program = build_program(config, {}, kContext);
    if (!program) return nullptr;
    PlainSource source(matrices);
    auto stage = device.load(
        *program,
        {.layers = {0, layers},
         .head = layers == program->layers.size() ? HeadPlace::behind_last_layer : HeadPlace::none,
         .kv_tokens = kContext,
         .batch_tokens_max = kBatch},
        source);
    if (!stage) return nullptr;
    return std::unique_ptr<TinyModel>(new TinyModel(*std::move(stage)));
  }

  // Of a step of `rows` rows behind `position` others.
  double step_s(const Clock& clock, std::uint32_t rows, std::uint32_t position, RowKind kind) {
    const Segment segment{.rows = rows, .position = position, .kind = kind, .pages = pages_};
    const std::vector<std::int32_t> tokens(rows, 1);
    bool ran = true;
    const double time = best_s(clock, [&] {
      ran = ran && stage_->run({.segments = {&segment, 1}, .tokens = tokens}).has_value();
    });
    return ran ? time : -1;
  }

 private:
  explicit TinyModel(std::unique_ptr<DeviceStage> stage) : stage_(std::move(stage)) {
    for (std::uint32_t page = 0; page < stage_->page_count(); ++page) pages_.push_back(page);
  }
  const std::unique_ptr<DeviceStage> stage_;
  std::vector<std::uint32_t> pages_;
};

ModelConfig tiny(std::uint32_t layers, std::uint32_t heads, std::uint32_t kv_heads) {
  ModelConfig config{.architecture = "llama"};
  config.layers = layers;
  config.d_model = 64;
  config.ff_width = 64;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = 64;
  config.vocab = 64;
  config.context = kContext;
  return config;
}

void measure_fixed_times(Device& device, const Clock& clock, Measured& measured) {
  constexpr std::uint32_t kFew = 2, kMany = 16;
  const auto few = TinyModel::load(device, tiny(kFew, 1, 1), kFew);
  const auto many = TinyModel::load(device, tiny(kMany, 1, 1), kMany);
  if (few == nullptr || many == nullptr) return;
  const double few_s = few->step_s(clock, 1, 0, RowKind::generated);
  const double many_s = many->step_s(clock, 1, 0, RowKind::generated);
  if (few_s <= 0 || many_s <= 0) return;
  measured.layer_fixed_s = std::max(0.0, (many_s - few_s) / (kMany - kFew));
  measured.step_fixed_s = std::max(0.0, few_s - kFew * *measured.layer_fixed_s);
}

void measure_attention(Device& device, const Clock& clock, Measured& measured) {
  constexpr std::uint32_t kHeads = 16;
  constexpr double kOps = 2.0 * kHeads * 64;  // per row and position
  const auto model = TinyModel::load(device, tiny(1, kHeads, 4), 1);
  if (model == nullptr) return;
  const auto rate = [&](std::uint32_t rows, RowKind kind) -> std::optional<double> {
    const std::uint32_t position = kContext - rows;
    const double near_s = model->step_s(clock, rows, 0, kind);
    const double far_s = model->step_s(clock, rows, position, kind);
    if (near_s <= 0 || far_s <= near_s) return std::nullopt;
    return kOps * rows * position / (far_s - near_s);
  };
  const Rates rates{.prompt = rate(kBatch, RowKind::prompt),
                    .generated = rate(1, RowKind::generated)};
  if (rates.prompt || rates.generated) measured.rates[kAttentionRate] = rates;
}

// What a layer does beside products and attention, per row and value of the model's width, from a
// small model whose layers have the proportions of common ones.
double layer_extra_s(Device& device, const Clock& clock, const Measured& measured) {
  constexpr std::uint32_t kWidth = 1024, kFf = 2816, kHeads = 16, kKvHeads = 4, kLayers = 4;
  constexpr DType kType = DType::q4_0;
  const auto product = measured.rates.find(std::string(to_string(kType)));
  const auto attention = measured.rates.find(kAttentionRate);
  if (product == measured.rates.end() || !product->second.prompt ||
      attention == measured.rates.end() || !attention->second.prompt)
    return 0;
  ModelConfig config = tiny(kLayers, kHeads, kKvHeads);
  config.d_model = kWidth;
  config.ff_width = kFf;
  const auto one = TinyModel::load(device, config, 1, kType);
  const auto more = TinyModel::load(device, config, kLayers - 1, kType);
  if (one == nullptr || more == nullptr) return 0;
  const double one_s = one->step_s(clock, kBatch, 0, RowKind::prompt);
  const double more_s = more->step_s(clock, kBatch, 0, RowKind::prompt);
  if (one_s <= 0 || more_s <= one_s) return 0;
  const double layer_s = (more_s - one_s) / (kLayers - 2);
  constexpr double kWeights = 1.0 * kWidth * (2 * kWidth + 2 * kKvHeads * 64) + 3.0 * kWidth * kFf;
  constexpr double kSeen = kBatch / 2.0;
  const double known_s = kBatch * (kWeights / *product->second.prompt +
                                   2.0 * kHeads * 64 * kSeen / *attention->second.prompt);
  return std::max(0.0, layer_s - known_s) / kBatch / kWidth;
}

// Lets rates contain it, for models of a common width.
void include_extra(double extra_s, Measured& measured) {
  constexpr double kWidth = 2048, kWeights = 44e6;  // of a layer of llama-1b
  const auto slower = [&](std::optional<double>& rate) {
    if (rate) rate = kWeights / (kWeights / *rate + extra_s * kWidth);
  };
  for (auto& [type, rates] : measured.rates) {
    if (type == kAttentionRate) continue;
    slower(rates.prompt);
    slower(rates.generated);
    slower(rates.streamed);
  }
}

}  // namespace

Measured measure_node(const MeasureOptions& options, const Clock& clock) {
  Measured measured;
  const auto stopped = [&] { return options.stop != nullptr && *options.stop; };
  const Bytes buffer = buffer_bytes(options);
  if (buffer >= kBandwidthBufferMin)
    if (const double rate = measure_read_bandwidth(options.threads, clock, buffer); rate > 0)
      measured.read_bandwidth = rate;
  {
    // Twice, so that what disturbs this machine for a moment, as programs that start do, is in one
    // of two: with one round, a rate in three starts of nodes was half of what it is.
    ProductRates products(options, clock);
    constexpr std::uint32_t kTypes = 64;
    constexpr int kRounds = 2;
    for (int round = 0; round < kRounds; ++round)
      for (std::uint32_t number = 0; number < kTypes && !stopped(); ++number)
        if (const DTypeInfo* type = find_dtype(number); type != nullptr && type->computed)
          if (const Rates rates = products.of(type->type); rates.prompt)
            keep_best(measured.rates[std::string(type->name)], rates);
  }
  if (stopped()) return measured;
  const auto device = make_cpu_device(options.isa, options.threads);
  measure_fixed_times(*device, clock, measured);
  measure_attention(*device, clock, measured);
  include_extra(layer_extra_s(*device, clock, measured), measured);
  return measured;
}

MeasureTurn::MeasureTurn(const Clock& clock, Clock::Nanoseconds within,
                         const std::atomic<bool>& stop) {
#ifdef __linux__
  // The program's own file: all of its processes have it, and none needs to make anything.
  descriptor_ = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const auto until = clock.monotonic() + within;
  while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && !stop &&
         clock.monotonic() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
#else
  static_cast<void>(clock), static_cast<void>(within), static_cast<void>(stop);
#endif
}

MeasureTurn::~MeasureTurn() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace drystone

#include "compute/cpu/matmul.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <iterator>
#include <new>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "compute/blocks/dequantize.h"
#include "compute/blocks/half.h"
#include "compute/cpu/matmul/kernels.h"
#include "compute/cpu/matmul/layout.h"
#include "compute/cpu/matmul/tables.h"
#include "compute/cpu/probe.h"
#include "compute/work_ranges.h"

namespace drystone {
namespace {

// Whether all f16 values are below kHalfWeightMax.
bool small_halves(std::span<const std::byte> values) {
  const std::uint16_t bound = f32_to_f16(kHalfWeightMax);
  bool small = true;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    std::uint16_t half;
    std::memcpy(&half, values.data() + i, 2);
    small &= (half & 0x7fff) < bound;
  }
  return small;
}

std::uint32_t panel_count(std::uint32_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

bool is_float(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

// Below this (some 10 us of work) waking the others costs more than they bring, and much more when
// other programs keep them from running.
constexpr std::uint64_t kSerialMultiplyAdds = 1 << 18;

// Where prompt rows and generated rows have the same bits, the kernel for few rows or that for many
// computes all of a product. Which is the faster one depends on the processor: with Q4_0 and 8 rows
// a Zen 4 does 309 thousand million multiply-adds a second with the one and 227 with the other, a
// Xeon 343 and 372; with Q6_K and 4 rows a Zen 3 does 18 and 27. So it is tried, once for each type
// of weights. One row is always few, more than the last of these always many.
constexpr std::uint32_t kTriedRows[] = {2, 4, 6, 8, 12, 16, 24, 32, 48, 64};
constexpr std::uint32_t kTriedPanels = 24;
constexpr int kTries = 4;
constexpr std::size_t kTypes = 64;

constexpr std::uint32_t kQuantBlock = 32;  // rows of quantized weights are multiples of this

}  // namespace

std::uint32_t sub_block(DType type) {
  switch (type) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return 0;
    case DType::q2_k:
    case DType::q3_k:
    case DType::q6_k:
      return 16;
    default:
      return 32;
  }
}

Bytes PackedMatrix::packed_bytes(DType type, std::uint32_t rows, std::uint32_t cols) {
  return panel_count(rows) * panel_layout(type).panel_bytes(cols);
}

Result<PackedMatrix> PackedMatrix::pack(ThreadPool& pool, DType type, std::uint32_t rows,
                                        std::uint32_t cols, std::span<const std::byte> source) {
  const DTypeInfo& info = dtype_info(type);
  if (!info.computed)
    return Error(Errc::unsupported,
                 fmt::format("weights of type {} are not computed with", info.name));
  const Bytes row = row_bytes(type, cols);
  CHECK(source.size() == rows * row, source.size(), rows, cols, info.name);
  PackedMatrix matrix;
  matrix.type_ = type;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  matrix.data_ = TRY(map_memory(packed_bytes(type, rows, cols)));
  const Bytes panel_bytes = panel_layout(type).panel_bytes(cols);
  std::atomic<bool> fits_halves = type == DType::f16 && cols % kHalfGroup == 0;
  pool.for_ranges(panel_count(rows), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto panel = static_cast<std::uint32_t>(begin); panel < end; ++panel) {
      const std::uint32_t first = panel * kPanelRows;
      const std::uint32_t count = std::min(kPanelRows, rows - first);
      const auto part = source.subspan(first * row, count * row);
      pack_panel(type, part.data(), count, cols, matrix.data_.get() + panel * panel_bytes);
      if (type == DType::f16 && !small_halves(part)) fits_halves = false;
    }
  });
  matrix.fits_halves_ = fits_halves;
  return matrix;
}

bool PackedMatrix::can_view(std::uint32_t first) { return first % kPanelRows == 0; }

PackedMatrix PackedMatrix::view(std::uint32_t first, std::uint32_t rows) const {
  CHECK(can_view(first) && std::uint64_t{first} + rows <= rows_, first, rows, rows_);
  PackedMatrix matrix;
  matrix.type_ = type_;
  matrix.rows_ = rows;
  matrix.cols_ = cols_;
  matrix.fits_halves_ = fits_halves_;
  matrix.data_ =
      MappedMemory(data_.get() + Bytes{first} / kPanelRows * panel_layout(type_).panel_bytes(cols_),
                   UnmapMemory{0});
  return matrix;
}

void PackedMatrix::unpack_row(std::uint32_t row, float* out) const {
  CHECK(row < rows_, row, rows_);
  std::vector<std::byte> bytes(row_bytes(type_, cols_));
  const std::byte* panel = data_.get() + row / kPanelRows * panel_layout(type_).panel_bytes(cols_);
  unpack_panel_row(type_, panel, row % kPanelRows, cols_, bytes.data());
  dequantize_row(type_, bytes.data(), out, cols_);
}

// What one family of quantized types needs beside q and scales: the input's bias for the codes'
// offset, per sub-block.
struct BiasSet {
  std::int32_t offset;
  std::uint32_t sub;
  MappedMemory memory;  // i32 [rows_max, cols_max / sub]
  bool filled = false;
  std::int32_t* data() const { return reinterpret_cast<std::int32_t*>(memory.get()); }
};

struct Activations::Impl {
  const MatmulKernels& kernels;
  std::uint32_t rows_max, cols_max;
  const bool ask_ahead = !foresees_streams();
  std::vector<MappedMemory> scratch;  // per thread
  MappedMemory q, scales, sums16, sums32;
  MappedMemory tiles;                // bf16 prompt rows, where the kernels read them
  MappedMemory halves, half_scales;  // where the kernels multiply in f16
  std::vector<BiasSet> biases;
  WorkRanges ranges;

  const float* x = nullptr;
  std::uint32_t rows = 0, generated_rows = 0, cols = 0;
  std::array<std::uint32_t, kTypes> many_from = {};  // by type; 0: not tried yet

  BiasSet* bias_for(DType type) {
    if (is_float(type)) return nullptr;
    const std::int32_t offset = kernels.offset(type);
    for (auto& set : biases)
      if (set.offset == offset && set.sub == sub_block(type)) return &set;
    return nullptr;  // offset 0: nothing to take off
  }
  // Has to be called before multiply() with weights of a type.
  void choose_kernel(const PackedMatrix& weight) {
    std::uint32_t& from = many_from[static_cast<std::size_t>(weight.type())];
    if (from > 0 || kernels.to_tiles != nullptr) return;
    if (rows < kTriedRows[0]) return;  // few in any case, and perhaps never more
    from = try_kernels(weight);
  }

  std::uint32_t try_kernels(const PackedMatrix& weight) {
    constexpr std::uint32_t kMost = kTriedRows[std::size(kTriedRows) - 1];
    const std::uint32_t most = std::min(rows_max, kMost);
    const std::uint32_t outputs = std::min(weight.rows(), kTriedPanels * kPanelRows);
    const std::uint32_t panels = panel_count(outputs);
    // Of what the rows hold the time does not depend, as long as it is nothing odd.
    const std::vector<float> zeros(is_float(weight.type()) ? std::size_t{most} * cols : 0);
    std::vector<float> out(std::size_t{most} * outputs);
    PanelProduct product = product_of(weight, 0, panels, panels);
    product.input.x = zeros.data();
    product.out = out.data();
    product.out_stride = outputs;
    product.rows = outputs;
    product.scratch = scratch[0].get();
    const SystemClock clock;
    // Each time other panels, as far as there are some: weights of a step are in no near cache.
    const Bytes panel_bytes = panel_layout(weight.type()).panel_bytes(cols);
    std::uint32_t first = 0;
    const auto time = [&](auto kernel) {
      product.panels = weight.data() + first * panel_bytes;
      first += panels;
      if (first + panels > panel_count(weight.rows())) first = 0;
      const auto start = clock.monotonic();
      kernel(product);
      return clock.monotonic() - start;
    };
    std::uint32_t from = kTriedRows[0];
    for (const std::uint32_t count : kTriedRows) {
      if (count > most) break;
      product.row_end = count;
      auto few = Clock::Nanoseconds::max(), many = few;
      for (int i = 0; i < kTries; ++i) {
        few = std::min(few, time(kernels.generated));
        many = std::min(many, time(kernels.prompt));
      }
      if (few < many) from = count + 1;
    }
    return from;
  }

  PanelProduct product_of(const PackedMatrix& weight, std::uint32_t begin, std::uint32_t end,
                          std::uint32_t ahead) {
    const BiasSet* bias = bias_for(weight.type());
    const bool in_halves = kernels.to_halves != nullptr && weight.fits_halves();
    return {
        .type = weight.type(),
        .panels = weight.data(),
        .rows = weight.rows(),
        .panel_begin = begin,
        .panel_end = end,
        .panel_ahead = ahead,
        .ask_ahead = ask_ahead,
        .input = {.x = x,
                  .q = reinterpret_cast<const std::int8_t*>(q.get()),
                  .scales = reinterpret_cast<const float*>(scales.get()),
                  .bias = bias ? bias->data() : nullptr,
                  .sums = sums(sub_block(weight.type())),
                  .bf16 = reinterpret_cast<const std::uint16_t*>(tiles.get()),
                  .halves = in_halves ? reinterpret_cast<std::uint16_t*>(halves.get()) : nullptr,
                  .half_scales = reinterpret_cast<const float*>(half_scales.get()),
                  .cols = cols},
        .row_begin = 0,
        .row_end = 0,
        .out_bias = nullptr,
        .out = nullptr,
        .out_stride = 0,
        .accumulate = false,
        .scratch = nullptr,
    };
  }

  // Panels [begin, end) of one product, over all rows.
  void multiply(const MatmulPart& part, std::uint32_t begin, std::uint32_t end, std::uint32_t ahead,
                std::byte* thread_scratch) {
    if (begin == end) return;
    PanelProduct product = product_of(*part.weight, begin, end, ahead);
    product.out_bias = part.bias;
    product.out = part.out;
    product.out_stride = part.out_stride;
    product.accumulate = part.accumulate;
    product.scratch = thread_scratch;
    // Rows [0, apart) by the kernel for few.
    std::uint32_t apart = generated_rows;
    if (kernels.to_tiles == nullptr) apart = few_rows(part.weight->type()) ? rows : 0;
    product.row_end = apart;
    if (product.row_begin < product.row_end) kernels.generated(product);
    product.row_begin = apart;
    product.row_end = rows;
    if (product.row_begin < product.row_end) kernels.prompt(product);
  }

  bool few_rows(DType type) const {
    return rows < std::max(kTriedRows[0], many_from[static_cast<std::size_t>(type)]);
  }

  float* sums(std::uint32_t sub) {
    return reinterpret_cast<float*>((sub == 16 ? sums16 : sums32).get());
  }

  void halve_rows(std::int64_t begin, std::int64_t end) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r)
      kernels.to_halves(x + r * cols, cols,
                        reinterpret_cast<std::uint16_t*>(halves.get()) + r * cols,
                        reinterpret_cast<float*>(half_scales.get()) + r * cols / kHalfGroup);
  }

  void quantize_rows(std::int64_t begin, std::int64_t end, bool with_sums) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      auto* row_q = reinterpret_cast<std::int8_t*>(q.get()) + r * cols;
      float* row_scales =
          reinterpret_cast<float*>(scales.get()) + std::size_t{r} * scale_groups(cols);
      kernels.quantize(x + r * cols, cols, row_q, row_scales);
      for (std::uint32_t b = 0; b < cols / 16; b += 2) {
        std::int32_t half[2] = {0, 0};
        for (int i = 0; i < 16; ++i) half[0] += row_q[16 * b + i];
        for (int i = 16; i < 32; ++i) half[1] += row_q[16 * b + i];
        for (auto& set : biases) {
          if (!set.filled) continue;
          std::int32_t* out = set.data() + r * (cols / set.sub) + b / (set.sub / 16);
          if (set.sub == 32) {
            out[0] = -set.offset * (half[0] + half[1]);
          } else {
            out[0] = -set.offset * half[0];
            out[1] = -set.offset * half[1];
          }
        }
        if (with_sums) {
          sums(32)[r * (cols / 32) + b / 2] = static_cast<float>(half[0] + half[1]);
          sums(16)[r * (cols / 16) + b] = static_cast<float>(half[0]);
          sums(16)[r * (cols / 16) + b + 1] = static_cast<float>(half[1]);
        }
      }
    }
  }
};

namespace {

MappedMemory reserve(Bytes bytes) {
  auto memory = map_memory(bytes);
  if (!memory) throw std::bad_alloc();  // as the containers beside it do
  return std::move(memory).value();
}

// The distinct offsets of quantized types, with their sub-blocks.
std::vector<std::pair<std::int32_t, std::uint32_t>> bias_kinds(const MatmulKernels& kernels) {
  std::vector<std::pair<std::int32_t, std::uint32_t>> kinds;
  for (const DType type : {DType::q4_0, DType::q5_0, DType::q8_0, DType::q3_k, DType::q6_k}) {
    const std::pair kind{kernels.offset(type), sub_block(type)};
    if (kind.first != 0 && std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
  }
  return kinds;
}

Bytes tiles_bytes(std::uint32_t rows, std::uint32_t cols) {
  return (Bytes{rows} + 31) / 32 * 32 * cols * 2;
}

bool has_minimum(DType type) {
  return type == DType::q4_1 || type == DType::q5_1 || type == DType::q2_k || type == DType::q4_k ||
         type == DType::q5_k;
}

}  // namespace

Activations::Activations(Isa isa, int threads, std::uint32_t rows_max, std::uint32_t cols_max)
    : impl_(new Impl{.kernels = matmul_kernels(isa),
                     .rows_max = rows_max,
                     .cols_max = cols_max,
                     .ranges = WorkRanges(threads)}) {
  const Bytes values = Bytes{rows_max} * cols_max;
  for (int i = 0; i < threads; ++i)
    impl_->scratch.push_back(reserve(impl_->kernels.scratch_bytes(rows_max)));
  impl_->q = reserve(values);
  impl_->scales = reserve(Bytes{rows_max} * scale_groups(cols_max) * sizeof(float));
  impl_->sums16 = reserve(values / 16 * sizeof(float));
  impl_->sums32 = reserve(values / 32 * sizeof(float));
  for (const auto& [offset, sub] : bias_kinds(impl_->kernels))
    impl_->biases.push_back({offset, sub, reserve(values / sub * sizeof(std::int32_t))});
  if (impl_->kernels.to_tiles) impl_->tiles = reserve(tiles_bytes(rows_max, cols_max));
  if (impl_->kernels.to_halves) {
    impl_->halves = reserve(values * sizeof(std::uint16_t));
    impl_->half_scales = reserve(values / kHalfGroup * sizeof(float));
  }
}

Activations::~Activations() = default;
Activations::Activations(Activations&&) noexcept = default;

Bytes Activations::reserved_bytes(Isa isa, int threads, std::uint32_t rows_max,
                                  std::uint32_t cols_max) {
  const MatmulKernels& kernels = matmul_kernels(isa);
  const Bytes values = Bytes{rows_max} * cols_max;
  Bytes bytes =
      values + Bytes{rows_max} * scale_groups(cols_max) * 4 + values / 16 * 4 + values / 32 * 4;
  for (const auto& [offset, sub] : bias_kinds(kernels)) bytes += values / sub * 4;
  if (kernels.to_tiles) bytes += tiles_bytes(rows_max, cols_max);
  if (kernels.to_halves) bytes += values * 2 + values / kHalfGroup * 4;
  return bytes + threads * kernels.scratch_bytes(rows_max);
}

void Activations::prepare(ThreadPool& pool, const float* x, std::uint32_t rows,
                          std::uint32_t generated_rows, std::uint32_t cols,
                          std::span<const DType> for_types) {
  Impl& impl = *impl_;
  CHECK(rows <= impl.rows_max && Bytes{rows} * cols <= Bytes{impl.rows_max} * impl.cols_max &&
            generated_rows <= rows,
        rows, generated_rows, cols, impl.rows_max, impl.cols_max);
  impl.x = x;
  impl.rows = rows;
  impl.generated_rows = generated_rows;
  impl.cols = cols;
  for (auto& set : impl.biases) set.filled = false;
  bool quantized = false, with_sums = false, only_f32 = true, with_f16 = false;
  for (const DType type : for_types) {
    quantized |= !is_float(type);
    only_f32 &= type == DType::f32;
    with_f16 |= type == DType::f16;
    with_sums |= has_minimum(type);
    if (BiasSet* set = impl.bias_for(type)) set->filled = true;
  }
  // With tiles, prompt rows need nothing else.
  const bool tiled = impl.kernels.to_tiles != nullptr && !only_f32 && cols % kQuantBlock == 0;
  const bool in_halves = with_f16 && impl.kernels.to_halves != nullptr && cols % kHalfGroup == 0;
  CHECK(!quantized || cols % kQuantBlock == 0, cols);
  pool.for_ranges(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t prompt = tiled ? std::clamp<std::int64_t>(generated_rows, begin, end) : end;
    if (quantized) impl.quantize_rows(begin, prompt, with_sums);
    if (in_halves) impl.halve_rows(begin, end);
    for (std::int64_t r = prompt; r < end; ++r)
      impl.kernels.to_tiles(x + r * cols, cols, static_cast<std::uint32_t>(r) - generated_rows,
                            reinterpret_cast<std::uint16_t*>(impl.tiles.get()));
  });
}

void matmul(ThreadPool& pool, const Activations& activations, std::span<const MatmulPart> parts) {
  Activations::Impl& impl = *activations.impl_;
  CHECK(static_cast<std::size_t>(pool.threads()) == impl.scratch.size(), pool.threads(),
        impl.scratch.size());
  std::uint64_t multiply_adds = 0;
  for (const MatmulPart& part : parts) {
    CHECK(part.weight->cols() == impl.cols, part.weight->cols(), impl.cols);
    impl.choose_kernel(*part.weight);
    multiply_adds += std::uint64_t{part.weight->rows()} * impl.cols * impl.rows;
  }
  // Units of all parts in a row: as many panels as a strip of prompt() has.
  const std::uint32_t unit_panels = impl.kernels.strip_panels;
  const auto units = [&](const MatmulPart& part) {
    return (panel_count(part.weight->rows()) + unit_panels - 1) / unit_panels;
  };
  std::uint32_t units_total = 0;
  for (const MatmulPart& part : parts) units_total += units(part);
  impl.ranges.reset(units_total);

  const auto work = [&](int thread) {
    while (const auto taken = impl.ranges.take(thread)) {
      std::uint32_t first = 0;  // unit of the part
      for (const MatmulPart& part : parts) {
        const std::uint32_t end = first + units(part);
        const std::uint32_t panels = panel_count(part.weight->rows());
        const auto panel = [&](std::uint32_t unit) {
          return std::min((std::clamp(unit, first, end) - first) * unit_panels, panels);
        };
        impl.multiply(part, panel(taken->begin), panel(taken->end), panel(taken->ahead),
                      impl.scratch[static_cast<std::size_t>(thread)].get());
        first = end;
      }
    }
  };
  if (multiply_adds >= kSerialMultiplyAdds) return pool.run(work);
  work(0);
}

bool same_arithmetic(Isa isa) { return matmul_kernels(isa).to_tiles == nullptr; }

const MatmulKernels& matmul_kernels(Isa isa) { return *matmul_table(isa); }

}  // namespace drystone

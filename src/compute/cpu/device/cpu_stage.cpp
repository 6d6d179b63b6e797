#include "compute/cpu/device/cpu_stage.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace drystone {
namespace {

// Columns that one thread takes of a row at a time in element-wise operations.
constexpr std::uint32_t kCellColumns = 1024;

// So many values are added sooner than other threads are woken.
constexpr std::uint64_t kSerialAdds = 1 << 14;

std::uint32_t linear_cols_max(const Program& program, LayerRange layers) {
  std::uint32_t cols = program.d_model;
  for (std::uint32_t i = layers.begin; i < layers.end; ++i)
    for (const Op& op : program.layers[i].ops)
      if (const auto* linear = std::get_if<LinearOp>(&op))
        cols = std::max(cols, program.tensors[linear->parts[0].weight].cols);
  return cols;
}

// Rows of a step that are multiplied with weights: without layers only those of the head.
std::uint32_t linear_rows_max(const StageOptions& options) {
  return options.layers.size() > 0 ? options.batch_tokens_max
                                   : std::min(options.logit_rows_max, options.batch_tokens_max);
}

std::size_t logit_floats(const Program& program, const StageOptions& options) {
  if (options.head == HeadPlace::none) return 0;
  return std::size_t{options.logit_rows_max} * logit_width(program);
}

}  // namespace

Bytes stage_working_bytes(const Program& program, const StageOptions& options, Isa isa,
                          int threads) {
  const std::uint32_t rows = options.batch_tokens_max;
  return workspace_layout(program, options.layers, rows).bytes() +
         RopeTables::bytes(distinct_ropes(program, options.layers), rows) +
         AttentionRunner::bytes(threads, program.head_dim, rows) +
         Activations::reserved_bytes(isa, threads, linear_rows_max(options),
                                     linear_cols_max(program, options.layers)) +
         logit_floats(program, options) * sizeof(float);
}

CpuStage::CpuStage(ThreadPool& pool, Isa isa, const Program& program, const StageOptions& options,
                   Parts parts)
    : pool_(pool),
      kernels_(vector_kernels(isa)),
      program_(program),
      options_(options),
      parts_(std::move(parts)),
      kinds_agree_(same_arithmetic(isa)),
      has_last_layer_(options.layers.size() > 0 && options.layers.end == program.layers.size()),
      plan_(plan_stage(program_, options.layers, parts_.weights)),
      ropes_(plan_.ropes, options.batch_tokens_max),
      attention_(isa, pool, program.head_dim, options.batch_tokens_max),
      activations_(isa, pool.threads(), linear_rows_max(options),
                   linear_cols_max(program, options.layers)),
      ahead_(pool.threads()),
      rows_(options.batch_tokens_max),
      logits_(logit_floats(program, options)),
      memory_{.weights = parts_.weights.bytes(),
              .kv = parts_.cache.layout().bytes(),
              .working = stage_working_bytes(program, options, isa, pool.threads())} {}

Result<StepOutput> CpuStage::run(const StepInput& input) {
  TRY(rows_.assign(input.segments, options_.batch_tokens_max, options_.logit_rows_max));
  for (const Segment& segment : input.segments)
    CHECK(std::uint64_t{segment.pages.size()} * kKvPageTokens >=
              std::uint64_t{segment.position} + segment.rows,
          segment.pages.size(), segment.position, segment.rows);
  segments_ = input.segments;
  const std::size_t hidden_values = std::size_t{rows_.rows} * program_.d_model;
  float* hidden = parts_.workspace.slot(Slot::hidden);
  if (options_.embed) {
    CHECK(input.tokens.size() == rows_.rows, input.tokens.size(), rows_.rows);
    embed(input.tokens);
  } else {
    CHECK(input.hidden.size() == hidden_values, input.hidden.size(), rows_.rows, program_.d_model);
    std::memcpy(hidden, input.hidden.data(), hidden_values * sizeof(float));
  }
  ropes_.prepare(pool_, rows_.positions);
  for (const auto& layer : plan_.layers) TRY(run_layer(layer));
  if (options_.head == HeadPlace::behind_last_layer) return run_head(hidden);
  return StepOutput{.hidden = {hidden, std::size_t{rows_.rows} * program_.d_model}};
}

Result<StepOutput> CpuStage::head(const HeadInput& input) {
  CHECK(options_.head == HeadPlace::apart);
  TRY(rows_.assign(input.segments, options_.batch_tokens_max, options_.logit_rows_max));
  rows_.keep_wanted_rows();
  CHECK(input.hidden.size() == std::size_t{rows_.rows} * program_.d_model, input.hidden.size(),
        rows_.rows, program_.d_model);
  return run_head(input.hidden.data());
}

StepOutput CpuStage::run_head(const float* hidden) {
  final_norm(hidden);
  return {.logits = output_head(), .hidden = hidden_output()};
}

Result<void> CpuStage::run_layer(const std::vector<PlannedOp>& ops) {
  const bool last = has_last_layer_ && &ops == &plan_.layers.back();
  for (const PlannedOp& op : ops) {
    TRY(std::visit(
        [&](const auto& one) -> Result<void> {
          if constexpr (std::is_void_v<decltype(run_op(one))>)
            return run_op(one), Result<void>{};
          else
            return run_op(one);
        },
        op));
    if (last && std::holds_alternative<PlannedAttention>(op)) keep_wanted_rows();
    if (rows_.rows == 0) return {};
  }
  return {};
}

void CpuStage::keep_wanted_rows() {
  for (std::uint32_t to = 0; to < rows_.wanted_rows.size(); ++to) {
    const std::uint32_t from = rows_.wanted_rows[to];  // not below `to`
    if (from == to) continue;
    for (const Slot slot : {Slot::hidden, Slot::attended})
      std::memcpy(parts_.workspace.row(slot, to), parts_.workspace.row(slot, from),
                  parts_.workspace.width(slot) * sizeof(float));
  }
  rows_.keep_wanted_rows();
}

void CpuStage::embed(std::span<const std::int32_t> tokens) {
  const PackedMatrix& embedding = parts_.weights.matrix(program_.embedding);
  pool_.for_ranges(rows_.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = static_cast<std::uint32_t>(begin); row < end; ++row) {
      const std::int32_t token = tokens[row];
      CHECK(token >= 0 && static_cast<std::uint32_t>(token) < program_.vocab, token,
            program_.vocab);
      float* hidden = parts_.workspace.row(Slot::hidden, row);
      embedding.unpack_row(static_cast<std::uint32_t>(token), hidden);
      if (program_.embedding_scale != 1)
        kernels_.scale(hidden, program_.embedding_scale, program_.d_model);
    }
  });
}

template <typename Work>
void CpuStage::for_cells(std::uint32_t rows, std::uint32_t width, Work work) {
  const std::uint32_t cells = (width + kCellColumns - 1) / kCellColumns;
  pool_.for_ranges(std::int64_t{rows} * cells, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto first = static_cast<std::uint32_t>(i % cells) * kCellColumns;
      work(static_cast<std::uint32_t>(i / cells), first, std::min(first + kCellColumns, width));
    }
  });
}

void CpuStage::run_op(const PlannedNorm& op) {
  const Workspace& workspace = parts_.workspace;
  pool_.for_ranges(rows_.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = static_cast<std::uint32_t>(begin); row < end; ++row) {
      float* out = workspace.row(op.out, row);
      kernels_.rms_norm(workspace.row(op.in, row), op.weight, op.eps, out, program_.d_model);
      if (op.add_to_hidden) kernels_.add(workspace.row(Slot::hidden, row), out, program_.d_model);
    }
  });
}

void CpuStage::run_op(const PlannedLinear& op) {
  const Workspace& workspace = parts_.workspace;
  activations_.prepare(pool_, workspace.slot(op.in), rows_.rows, rows_.generated, op.cols,
                       op.types);
  matmul_parts_.clear();
  for (const PlannedPart& part : op.parts)
    matmul_parts_.push_back({.weight = part.weight,
                             .bias = part.bias,
                             .out = workspace.slot(part.out),
                             .out_stride = workspace.width(part.out),
                             .accumulate = op.accumulate});
  matmul(pool_, activations_, matmul_parts_);
}

void CpuStage::run_op(const PlannedAttention& op) {
  attention_.run(op, rows_, segments_, ropes_, parts_.cache, parts_.workspace);
}

void CpuStage::run_op(const PlannedGated& op) {
  const Workspace& workspace = parts_.workspace;
  const auto kernel = op.activation == Activation::silu ? kernels_.silu_mul : kernels_.gelu_mul;
  for_cells(rows_.rows, program_.ff_width,
            [&](std::uint32_t row, std::uint32_t begin, std::uint32_t end) {
              kernel(workspace.row(Slot::gate, row) + begin, workspace.row(Slot::up, row) + begin,
                     workspace.row(Slot::activated, row) + begin, end - begin);
            });
}

void CpuStage::run_op(const PlannedAdd& op) {
  const Workspace& workspace = parts_.workspace;
  const auto add = [&](std::uint32_t row, std::uint32_t begin, std::uint32_t end) {
    kernels_.add(workspace.row(Slot::hidden, row) + begin, workspace.row(op.in, row) + begin,
                 end - begin);
  };
  if (std::uint64_t{rows_.rows} * program_.d_model > kSerialAdds)
    return for_cells(rows_.rows, program_.d_model, add);
  for (std::uint32_t row = 0; row < rows_.rows; ++row) add(row, 0, program_.d_model);
}

Result<void> CpuStage::run_op(const PlannedReduce& op) {
  const Workspace& workspace = parts_.workspace;
  const std::span<float> values{workspace.slot(op.slot),
                                std::size_t{rows_.rows} * workspace.width(op.slot)};
  // Generated rows wait for memory, prompt rows for the arithmetic.
  if (rows_.generated < rows_.rows) return options_.reducer->all_reduce(values);
  ahead_.begin(op.next);
  Result<void> reduced;
  std::atomic<bool> done = false;
  pool_.run([&](int thread) {
    if (thread == 0) {
      reduced = options_.reducer->all_reduce(values, [this] { ahead_.step(0); });
      done.store(true, std::memory_order_relaxed);
    } else {
      while (!done.load(std::memory_order_relaxed) && ahead_.step(thread)) {
      }
    }
  });
  return reduced;
}

void CpuStage::final_norm(const float* hidden) {
  const Workspace& workspace = parts_.workspace;
  const float* weight = parts_.weights.vector(program_.output_norm);
  const auto logit_rows = static_cast<std::uint32_t>(rows_.logit_rows.size());
  const auto hidden_rows = static_cast<std::uint32_t>(rows_.hidden_rows.size());
  pool_.for_ranges(logit_rows + hidden_rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::uint32_t>(begin); i < end; ++i) {
      const std::uint32_t row =
          i < logit_rows ? rows_.logit_rows[i] : rows_.hidden_rows[i - logit_rows];
      kernels_.rms_norm(hidden + std::size_t{row} * program_.d_model, weight,
                        program_.output_norm_eps, workspace.row(Slot::normed, i), program_.d_model);
    }
  });
}

std::span<const float> CpuStage::hidden_output() const {
  return {parts_.workspace.row(Slot::normed, static_cast<std::uint32_t>(rows_.logit_rows.size())),
          rows_.hidden_rows.size() * program_.d_model};
}

std::span<const float> CpuStage::output_head() {
  const auto rows = static_cast<std::uint32_t>(rows_.logit_rows.size());
  if (rows == 0) return {};
  const Workspace& workspace = parts_.workspace;
  const PackedMatrix& output = parts_.weights.matrix(program_.output);
  const std::uint32_t width = output.rows();
  const DType types[] = {output.type()};
  activations_.prepare(pool_, workspace.slot(Slot::normed), rows, rows_.generated_logit_rows,
                       program_.d_model, types);
  const MatmulPart part{.weight = &output, .out = logits_.data(), .out_stride = width};
  matmul(pool_, activations_, {&part, 1});

  if (program_.logit_scale != 1 || program_.logit_softcap > 0)
    for_cells(rows, width, [&](std::uint32_t row, std::uint32_t begin, std::uint32_t end) {
      float* cell = logits_.data() + std::size_t{row} * width + begin;
      if (program_.logit_scale != 1) kernels_.scale(cell, program_.logit_scale, end - begin);
      if (program_.logit_softcap > 0) kernels_.softcap(cell, program_.logit_softcap, end - begin);
    });
  return {logits_.data(), std::size_t{rows} * width};
}

}  // namespace drystone

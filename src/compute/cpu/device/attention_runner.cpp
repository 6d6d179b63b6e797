#include "compute/cpu/device/attention_runner.h"

#include <algorithm>
#include <atomic>

namespace drystone {
namespace {

// Query rows that share a pass over keys and values.
constexpr std::uint32_t kBlockRows = 32;

// Below this one thread is done before the others are woken.
constexpr std::uint64_t kSerialMultiplyAdds = 1 << 16;

std::uint64_t multiply_adds(std::span<const Segment> segments, const AttentionOp& op) {
  std::uint64_t keys = 0;
  for (const Segment& segment : segments)
    keys += std::uint64_t{segment.rows} * (segment.position + segment.rows);
  return keys * op.heads * op.head_dim * 2;
}

std::size_t padded_scratch(std::uint32_t head_dim) {
  return (attention_scratch_floats(head_dim) + 31) / 16 * 16;
}

}  // namespace

AttentionRunner::AttentionRunner(Isa isa, ThreadPool& pool, std::uint32_t head_dim,
                                 std::uint32_t rows_max)
    : kernels_(vector_kernels(isa)),
      pool_(pool),
      scratch_stride_(padded_scratch(head_dim)),
      scratch_(scratch_stride_ * pool.threads() + 16) {
  blocks_.reserve(rows_max);
}

Bytes AttentionRunner::bytes(int threads, std::uint32_t head_dim, std::uint32_t rows_max) {
  return (padded_scratch(head_dim) * threads + 16) * sizeof(float) + rows_max * sizeof(RowBlock);
}

void AttentionRunner::append(const PlannedAttention& attention, const StepRows& rows,
                             std::span<const Segment> segments, const RopeTables& ropes,
                             const KvCache& cache, const Workspace& workspace) {
  const AttentionOp& op = attention.op;
  const auto finish = [&](float* x, std::uint32_t heads, const float* norm, int rope,
                          std::uint32_t row) {
    for (std::uint32_t h = 0; h < heads; ++h, x += op.head_dim) {
      if (norm != nullptr) kernels_.rms_norm(x, norm, attention.norm_eps, x, op.head_dim);
      if (rope >= 0)
        kernels_.rope(x, ropes.row(rope, row), ropes.pairs(rope), ropes.interleaved(rope));
    }
  };
  pool_.for_ranges(rows.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = static_cast<std::uint32_t>(begin); row < end; ++row) {
      finish(workspace.row(Slot::q, row), op.heads, attention.q_norm, attention.q_rope, row);
      float* k = workspace.row(Slot::k, row);
      const float* v = workspace.row(Slot::v, row);
      finish(k, op.kv_heads, attention.k_norm, attention.k_rope, row);
      const std::uint32_t* pages = segments[rows.segment_of[row]].pages.data();
      const KvView keys = cache.keys(attention.cache_layer, pages);
      const KvView values = cache.values(attention.cache_layer, pages);
      const std::uint32_t position = rows.positions[row];
      for (std::uint32_t h = 0; h < op.kv_heads; ++h) {
        const std::uint32_t key = position % kKeyBlock;
        kernels_.store_key(k + h * op.head_dim, kv_row(keys, h, position - key), key, op.head_dim,
                           keys.type);
        kernels_.store_value(v + h * op.head_dim, kv_row(values, h, position), op.head_dim,
                             values.type);
      }
    }
  });
}

void AttentionRunner::cut_blocks(std::span<const Segment> segments) {
  blocks_.clear();
  for (std::uint32_t s = 0; s < segments.size(); ++s)
    for (std::uint32_t begin = 0; begin < segments[s].rows; begin += kBlockRows)
      blocks_.push_back({s, begin, std::min(begin + kBlockRows, segments[s].rows)});
  // Late rows see most keys: the long tasks go first, so that no thread ends alone with one.
  std::ranges::stable_sort(blocks_, std::greater{}, [&](const RowBlock& b) {
    return std::uint64_t{segments[b.segment].position} + b.end;
  });
}

void AttentionRunner::run(const PlannedAttention& attention, const StepRows& rows,
                          std::span<const Segment> segments, const RopeTables& ropes,
                          const KvCache& cache, const Workspace& workspace) {
  append(attention, rows, segments, ropes, cache, workspace);
  cut_blocks(segments);
  const AttentionOp& op = attention.op;
  const std::uint32_t group = op.heads / op.kv_heads;
  CHECK(group > 0, op.heads, op.kv_heads);
  // A task is one block of rows for all query heads of a KV head, which then share its keys and
  // values; for one head where that gives too few tasks.
  const bool by_group =
      blocks_.size() * op.kv_heads >= 2 * static_cast<std::size_t>(pool_.threads());
  const std::uint32_t heads_per_task = by_group ? group : 1;
  const std::size_t tasks = blocks_.size() * op.heads / heads_per_task;
  const std::size_t tasks_per_block = op.heads / heads_per_task;

  std::atomic<std::size_t> next{0};
  const auto work = [&](int thread) {
    float* scratch = scratch_.data() +
                     (16 - reinterpret_cast<std::uintptr_t>(scratch_.data()) / 4 % 16) % 16 +
                     thread * scratch_stride_;
    for (std::size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      const RowBlock& block = blocks_[task / tasks_per_block];
      const Segment& segment = segments[block.segment];
      const std::uint32_t first_row = rows.first_row[block.segment] + block.begin;
      const auto first_head = static_cast<std::uint32_t>(task % tasks_per_block * heads_per_task);
      kernels_.attend({.q = workspace.row(Slot::q, first_row) + first_head * op.head_dim,
                       .q_stride = workspace.width(Slot::q),
                       .out = workspace.row(Slot::attended, first_row) + first_head * op.head_dim,
                       .out_stride = workspace.width(Slot::attended),
                       .rows = block.end - block.begin,
                       .heads = heads_per_task,
                       .position = segment.position + block.begin,
                       .head_dim = op.head_dim,
                       .kv_head = first_head / group,
                       .k = cache.keys(attention.cache_layer, segment.pages.data()),
                       .v = cache.values(attention.cache_layer, segment.pages.data()),
                       .scale = op.scale,
                       .softcap = op.softcap,
                       .window = op.window,
                       .scratch = scratch});
    }
  };
  if (multiply_adds(segments, op) < kSerialMultiplyAdds)
    work(0);
  else
    pool_.run(work);
}

}  // namespace drystone

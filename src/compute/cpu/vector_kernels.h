#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/isa.h"
#include "compute/device.h"

// Everything on the CPU that is not a product with weights: norms, rotations, activations,
// attention. One table per instruction set, from one source compiled for each.

namespace drystone {

// Keys that stand together, dimension by dimension, and between which attention looks at the
// running maximum. Pages hold a multiple of it.
constexpr std::uint32_t kKeyBlock = 32;

// K or V of one layer in pages of `page_tokens` positions, in the cache's type. Within a page each
// KV head has its values position by position, [kv_heads][page_tokens][head_dim], and its keys
// in blocks, [kv_heads][page_tokens / kKeyBlock][head_dim][kKeyBlock] (vector/kv_rows.h).
struct KvView {
  const std::byte* base;       // page 0
  std::size_t page_bytes;      // from one page to the next
  std::size_t head_bytes;      // from one KV head to the next inside a page
  std::size_t row_bytes;       // from one position to the next
  const std::uint32_t* pages;  // page table of the sequence
  std::uint32_t page_tokens;
  KvType type;
};

// Attention of consecutive query rows of one sequence for query heads that share a KV head.
struct AttentionTask {
  const float* q;  // f32 [rows, heads, head_dim], rows `q_stride` values apart
  std::size_t q_stride;
  float* out;  // like q
  std::size_t out_stride;
  std::uint32_t rows, heads, position;  // position of the first row
  std::uint32_t head_dim;
  std::uint32_t kv_head;
  KvView k, v;
  float scale, softcap;
  std::uint32_t window;
  float* scratch;  // attention_scratch_floats() values, of this thread alone
};

struct VectorKernels {
  void (*rms_norm)(const float* x, const float* weight, float eps, float* out, std::uint32_t n);
  void (*add)(float* acc, const float* x, std::uint32_t n);
  void (*scale)(float* x, float factor, std::uint32_t n);
  void (*softcap)(float* x, float cap, std::uint32_t n);
  void (*silu_mul)(const float* gate, const float* up, float* out, std::uint32_t n);
  // gelu(gate) * up by the tanh formula, as in llama.cpp: for |gate| < 10 gate and gelu(gate) are
  // rounded to f16 (to nearest), because its function is a table of f16: without this gemma3's
  // logits differ from its by 2e-3 of their spread. From 10 on gelu(gate) is the gate unrounded, up
  // to -10 it is 0.
  void (*gelu_mul)(const float* gate, const float* up, float* out, std::uint32_t n);
  // cos_sin: [pairs][2], magnitude included. x: one head.
  void (*rope)(float* x, const float* cos_sin, std::uint32_t pairs, bool interleaved);
  // One position of one KV head into the cache: as key number `key` of its block, as a row of
  // values.
  void (*store_key)(const float* x, std::byte* block, std::uint32_t key, std::uint32_t head_dim,
                    KvType type);
  void (*store_value)(const float* x, std::byte* row, std::uint32_t head_dim, KvType type);
  // Per row, the order of the sums depends on the row's position alone: not on `rows`, chunk
  // borders or pages' places.
  void (*attend)(const AttentionTask& task);
};

const VectorKernels& vector_kernels(Isa isa);

std::size_t attention_scratch_floats(std::uint32_t head_dim);

}  // namespace drystone

// The plain C++ version of the vector kernels: what the others are tested against.
#include "compute/cpu/vector_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "compute/blocks/half.h"

namespace drystone {
namespace {

constexpr std::uint32_t kKeyBlock = 32;  // keys between two looks at the running maximum
constexpr std::uint32_t kQ8Block = 32;

void rms_norm(const float* x, const float* weight, float eps, float* out, std::uint32_t n) {
  double sum = 0;
  for (std::uint32_t i = 0; i < n; ++i) sum += double{x[i]} * x[i];
  const float factor = 1 / std::sqrt(static_cast<float>(sum / n) + eps);
  for (std::uint32_t i = 0; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void add(float* acc, const float* x, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) acc[i] += x[i];
}

void scale(float* x, float factor, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) x[i] *= factor;
}

void softcap(float* x, float cap, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) x[i] = cap * std::tanh(x[i] / cap);
}

void silu_mul(const float* gate, const float* up, float* out, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) out[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

void gelu_mul(const float* gate, const float* up, float* out, std::uint32_t n) {
  constexpr float kSqrt2OverPi = 0.79788456f;
  for (std::uint32_t i = 0; i < n; ++i) {
    const float x = f16_to_f32(f32_to_f16(gate[i]));
    const float gelu = 0.5f * x * (1 + std::tanh(kSqrt2OverPi * (x + 0.044715f * x * x * x)));
    out[i] = f16_to_f32(f32_to_f16(gelu)) * up[i];
  }
}

void rope(float* x, const float* cos_sin, std::uint32_t pairs, bool interleaved) {
  const std::uint32_t step = interleaved ? 2 : 1, partner = interleaved ? 1 : pairs;
  for (std::uint32_t i = 0; i < pairs; ++i) {
    float& a = x[i * step];
    float& b = x[i * step + partner];
    const float c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
    const float rotated = a * c - b * s;
    b = a * s + b * c;
    a = rotated;
  }
}

void store_kv(const float* x, std::byte* row, std::uint32_t head_dim, KvType type) {
  if (type == KvType::f32) {
    std::memcpy(row, x, head_dim * sizeof(float));
    return;
  }
  if (type == KvType::f16) {
    for (std::uint32_t i = 0; i < head_dim; ++i) {
      const std::uint16_t half = f32_to_f16(x[i]);
      std::memcpy(row + 2 * i, &half, 2);
    }
    return;
  }
  for (std::uint32_t block = 0; block < head_dim; block += kQ8Block, row += 2 + kQ8Block) {
    float max = 0;
    for (std::uint32_t i = 0; i < kQ8Block; ++i) max = std::max(max, std::abs(x[block + i]));
    const std::uint16_t d = f32_to_f16(max / 127);
    const float factor = max == 0 ? 0 : 127 / max;
    std::memcpy(row, &d, 2);
    for (std::uint32_t i = 0; i < kQ8Block; ++i)
      row[2 + i] =
          static_cast<std::byte>(static_cast<std::int8_t>(std::lround(x[block + i] * factor)));
  }
}

void load_kv(const std::byte* row, float* out, std::uint32_t head_dim, KvType type) {
  if (type == KvType::f32) {
    std::memcpy(out, row, head_dim * sizeof(float));
    return;
  }
  if (type == KvType::f16) {
    for (std::uint32_t i = 0; i < head_dim; ++i) {
      std::uint16_t half;
      std::memcpy(&half, row + 2 * i, 2);
      out[i] = f16_to_f32(half);
    }
    return;
  }
  for (std::uint32_t block = 0; block < head_dim; block += kQ8Block, row += 2 + kQ8Block) {
    std::uint16_t d;
    std::memcpy(&d, row, 2);
    for (std::uint32_t i = 0; i < kQ8Block; ++i)
      out[block + i] = f16_to_f32(d) * static_cast<float>(static_cast<std::int8_t>(row[2 + i]));
  }
}

const std::byte* cache_row(const KvView& view, std::uint32_t kv_head, std::uint32_t position) {
  return view.base + view.pages[position / view.page_tokens] * view.page_bytes +
         kv_head * view.head_bytes + position % view.page_tokens * view.row_bytes;
}

// Online softmax over blocks of keys that begin at multiples of kKeyBlock.
void attend_row(const AttentionTask& task, const float* q, float* out, std::uint32_t position) {
  const std::uint32_t begin =
      task.window > 0 && position >= task.window ? position - task.window + 1 : 0;
  float* acc = task.scratch;
  float* vector = acc + task.head_dim;
  float* scores = vector + task.head_dim;
  std::fill_n(acc, task.head_dim, 0.0f);
  float max = -std::numeric_limits<float>::infinity(), sum = 0;

  for (std::uint32_t first = begin; first <= position;) {
    const std::uint32_t end = std::min((first / kKeyBlock + 1) * kKeyBlock, position + 1);
    float block_max = max;
    for (std::uint32_t j = first; j < end; ++j) {
      load_kv(cache_row(task.k, task.kv_head, j), vector, task.head_dim, task.k.type);
      float dot = 0;
      for (std::uint32_t i = 0; i < task.head_dim; ++i) dot += q[i] * vector[i];
      float score = dot * task.scale;
      if (task.softcap > 0) score = task.softcap * std::tanh(score / task.softcap);
      scores[j - first] = score;
      block_max = std::max(block_max, score);
    }
    const float rescale = std::exp(max - block_max);
    max = block_max;
    sum *= rescale;
    for (std::uint32_t i = 0; i < task.head_dim; ++i) acc[i] *= rescale;
    for (std::uint32_t j = first; j < end; ++j) {
      const float weight = std::exp(scores[j - first] - max);
      sum += weight;
      load_kv(cache_row(task.v, task.kv_head, j), vector, task.head_dim, task.v.type);
      for (std::uint32_t i = 0; i < task.head_dim; ++i) acc[i] += weight * vector[i];
    }
    first = end;
  }
  for (std::uint32_t i = 0; i < task.head_dim; ++i) out[i] = acc[i] / sum;
}

void attend(const AttentionTask& task) {
  for (std::uint32_t row = 0; row < task.rows; ++row)
    attend_row(task, task.q + row * task.q_stride, task.out + row * task.out_stride,
               task.position + row);
}

constexpr VectorKernels kPortable{rms_norm, add,  scale,    softcap, silu_mul,
                                  gelu_mul, rope, store_kv, attend};

}  // namespace

const VectorKernels& vector_kernels(Isa) { return kPortable; }

std::size_t attention_scratch_floats(std::uint32_t head_dim) {
  return 2 * std::size_t{head_dim} + kKeyBlock;
}

}  // namespace drystone

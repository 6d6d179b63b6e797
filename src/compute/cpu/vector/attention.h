#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/vector/kv_rows.h"
#include "compute/cpu/vector/math.h"
#include "compute/cpu/vector_kernels.h"

namespace drystone {

inline constexpr std::uint32_t kAttentionKeys =
    32;  // keys between two looks at the running maximum
inline constexpr std::uint32_t kAttentionRows =
    32;  // queries (a row's head each) that share a block of keys converted to f32

// Softmax as it goes, over blocks of keys that begin at multiples of kAttentionKeys. Heads of a row
// count as rows here: query r is head r % heads of row r / heads. A row's scores, weights and sums
// are the same operations in the same order whether it comes alone or among others: tiles of rows
// only share loads. A row alone reads f16 and f32 keys and values straight from the cache; several
// rows have each block converted once.
template <typename S>
class Attention {
 public:
  using F = typename S::F;

  static void run(const AttentionTask& task) {
    const std::uint32_t queries = task.rows * task.heads;
    for (std::uint32_t row = 0; row < queries; row += kAttentionRows) {
      const std::uint32_t left = queries - row;
      Attention(task, row, left < kAttentionRows ? left : kAttentionRows).run_rows();
    }
  }

 private:
  static constexpr std::uint32_t kKeys = kAttentionKeys;

  struct F32Rows {
    static constexpr std::uint32_t kValueBytes = 4;
    static F load(const std::byte* at) { return S::load_f32(reinterpret_cast<const float*>(at)); }
  };
  struct F16Rows {
    static constexpr std::uint32_t kValueBytes = 2;
    static F load(const std::byte* at) { return S::load_f16(at); }
  };

  // The keys (or values) of a block, [kKeys] rows of `padded_` values.
  struct Block {
    const std::byte* rows[kKeys];
  };

  Attention(const AttentionTask& task, std::uint32_t first_row, std::uint32_t rows)
      : task_(task),
        rows_(rows),
        first_(first_row),
        padded_((task.head_dim + 15) / 16 * 16),
        acc_(task.scratch),
        converted_(acc_ + kAttentionRows * padded_),
        queries_(converted_ + kKeys * padded_),
        scores_(queries_ + kAttentionRows * padded_),
        max_(scores_ + kAttentionRows * kKeys),
        sum_(max_ + kAttentionRows) {
    for (std::uint32_t r = 0; r < rows_; ++r) {
      const float* q = task.q + place(r, task.q_stride);
      float* copy = queries_ + r * padded_;
      for (std::uint32_t i = 0; i < padded_; ++i) copy[i] = i < task.head_dim ? q[i] : 0.0f;
      for (std::uint32_t i = 0; i < padded_; ++i) acc_[r * padded_ + i] = 0;
      max_[r] = -__builtin_inff();
      sum_[r] = 0;
    }
  }

  // Where row r stands in an array like q.
  std::size_t place(std::uint32_t r, std::size_t stride) const {
    const std::uint32_t query = first_ + r;
    return query / task_.heads * stride + std::size_t{query % task_.heads} * task_.head_dim;
  }

  std::uint32_t position_of(std::uint32_t r) const {
    return task_.position + (first_ + r) / task_.heads;
  }

  // The first key that row r sees; it sees all up to its own position.
  std::uint32_t begin_of(std::uint32_t r) const {
    const std::uint32_t p = position_of(r);
    return task_.window > 0 && p >= task_.window ? p - task_.window + 1 : 0;
  }

  void run_rows() {
    const std::uint32_t last = position_of(rows_ - 1);
    for (std::uint32_t first = begin_of(0) / kKeys * kKeys; first <= last; first += kKeys) {
      const std::uint32_t low = first > begin_of(0) ? first : begin_of(0);
      const std::uint32_t high = first + kKeys - 1 < last ? first + kKeys - 1 : last;
      // The rows that see a key of this block.
      std::uint32_t from = 0, to = rows_;
      while (from < to && position_of(from) < first) ++from;
      while (to > from && begin_of(to - 1) >= first + kKeys) --to;
      if (from >= to) continue;
      Block block;
      if (locate(task_.k, first, low, high, block)) {
        with_type(task_.k, [&](auto type) { score_rows<decltype(type)>(block, from, to); });
      } else {
        score_rows<F32Rows>(block, from, to);
      }
      for (std::uint32_t r = from; r < to; ++r) weigh(r, first);
      if (locate(task_.v, first, low, high, block)) {
        with_type(task_.v, [&](auto type) { add_values<decltype(type)>(block, first, from, to); });
      } else {
        add_values<F32Rows>(block, first, from, to);
      }
    }
    for (std::uint32_t r = 0; r < rows_; ++r) {
      const float* acc = acc_ + r * padded_;
      float* out = task_.out + place(r, task_.out_stride);
      const float inverse = 1 / sum_[r];
      for (std::uint32_t i = 0; i < task_.head_dim; ++i) out[i] = acc[i] * inverse;
    }
  }

  template <typename Use>
  static void with_type(const KvView& view, Use use) {
    if (view.type == KvType::f16) {
      use(F16Rows{});
    } else {
      use(F32Rows{});
    }
  }

  // Where the rows of positions [low, high] stand; the others point at one of these, and their
  // scores are dropped. True: in the cache, in its own type. False: converted to f32.
  bool locate(const KvView& view, std::uint32_t first, std::uint32_t low, std::uint32_t high,
              Block& block) {
    const bool direct = rows_ == 1 && view.type != KvType::q8_0 && padded_ == task_.head_dim;
    const std::byte* page = nullptr;
    for (std::uint32_t p = low; p <= high; ++p) {
      const std::uint32_t in_page = p % view.page_tokens;
      if (page == nullptr || in_page == 0) {
        page = view.base + view.pages[p / view.page_tokens] * view.page_bytes +
               task_.kv_head * view.head_bytes;
      }
      const std::byte* row = page + in_page * view.row_bytes;
      if (!direct) {
        float* copy = converted_ + (p - first) * padded_;
        KvRows<S>::load(row, copy, task_.head_dim, view.type);
        row = reinterpret_cast<const std::byte*>(copy);
      }
      block.rows[p - first] = row;
    }
    for (std::uint32_t j = 0; j < kKeys; ++j) {
      if (first + j < low) block.rows[j] = block.rows[low - first];
      if (first + j > high) block.rows[j] = block.rows[high - first];
    }
    return direct;
  }

  template <typename Type>
  void score_rows(const Block& block, std::uint32_t from, std::uint32_t to) {
    std::uint32_t r = from;
    for (; r + S::kScoreRows <= to; r += S::kScoreRows) score_tile<Type, S::kScoreRows>(block, r);
    for (; r < to; ++r) score_tile<Type, 1>(block, r);
  }

  // kRows query rows times the block's keys, four at a time: lanes over head_dim, then over lanes.
  template <typename Type, int kRows>
  void score_tile(const Block& block, std::uint32_t r) {
    for (std::uint32_t j = 0; j < kKeys; j += 4) {
      F sums[kRows][4];
      for (auto& row : sums) row[0] = row[1] = row[2] = row[3] = S::zero();
      const std::byte* const* keys = block.rows + j;
      for (std::uint32_t i = 0; i < padded_; i += 16) {
        F k[4];
        for (int c = 0; c < 4; ++c) k[c] = Type::load(keys[c] + i * Type::kValueBytes);
        for (int t = 0; t < kRows; ++t) {
          const F q = S::load_f32(queries_ + (r + t) * padded_ + i);
          for (int c = 0; c < 4; ++c) sums[t][c] = S::fma(q, k[c], sums[t][c]);
        }
      }
      for (int t = 0; t < kRows; ++t) {
        S::sum4(sums[t][0], sums[t][1], sums[t][2], sums[t][3], scores_ + (r + t) * kKeys + j);
      }
    }
  }

  // Scores to weights; what the row has so far is brought to the new maximum.
  void weigh(std::uint32_t r, std::uint32_t first) {
    float* scores = scores_ + r * kKeys;
    F s[2];
    for (int h = 0; h < 2; ++h) {
      s[h] = S::mul(S::load_f32(scores + 16 * h), S::broadcast(task_.scale));
      if (task_.softcap > 0) {
        const F cap = S::broadcast(task_.softcap);
        s[h] = S::mul(cap, VectorMath<S>::tanh(S::div(s[h], cap)));
      }
      S::store_f32(scores + 16 * h, s[h]);
    }
    const std::uint32_t begin = begin_of(r), position = position_of(r);
    if (begin > first || position < first + kKeys - 1) {
      for (std::uint32_t j = 0; j < kKeys; ++j) {
        if (first + j < begin || first + j > position) scores[j] = -__builtin_inff();
      }
      s[0] = S::load_f32(scores);
      s[1] = S::load_f32(scores + 16);
    }
    const float block_max = S::largest(S::max(s[0], s[1]));
    if (block_max > max_[r]) {  // else the factor is exactly 1
      rescale(r, KvRows<S>::first(VectorMath<S>::exp(S::broadcast(max_[r] - block_max))));
      max_[r] = block_max;
    }
    const F max = S::broadcast(max_[r]);
    for (int h = 0; h < 2; ++h) {
      s[h] = VectorMath<S>::exp(S::sub(s[h], max));
      S::store_f32(scores + 16 * h, s[h]);
    }
    sum_[r] += S::sum(S::add(s[0], s[1]));
  }

  void rescale(std::uint32_t r, float factor) {
    sum_[r] *= factor;
    float* acc = acc_ + r * padded_;
    const F f = S::broadcast(factor);
    for (std::uint32_t i = 0; i < padded_; i += 16)
      S::store_f32(acc + i, S::mul(S::load_f32(acc + i), f));
  }

  template <typename Type>
  void add_values(const Block& block, std::uint32_t first, std::uint32_t from, std::uint32_t to) {
    const auto keys_low = [&](std::uint32_t r) {
      return begin_of(r) > first ? begin_of(r) - first : 0;
    };
    const auto keys_high = [&](std::uint32_t r) {
      return position_of(r) < first + kKeys ? position_of(r) - first + 1 : kKeys;
    };
    for (std::uint32_t r = from; r < to;) {
      const std::uint32_t last = r + S::kValueRows - 1;
      if (last < to && keys_low(last) == 0 && keys_high(r) == kKeys) {
        value_tile<Type, S::kValueRows>(block, r, 0, kKeys);
        r += S::kValueRows;
      } else {  // at the edges rows see different keys, and a weight of 0 is no harm only for
                // finite values
        value_tile<Type, 1>(block, r, keys_low(r), keys_high(r));
        ++r;
      }
    }
  }

  // acc += weight * value over keys in rising order, 32 values of kRows rows at a time.
  template <typename Type, int kRows>
  void value_tile(const Block& block, std::uint32_t r, std::uint32_t low, std::uint32_t high) {
    std::uint32_t i = 0;
    for (; i + 32 <= padded_; i += 32) value_columns<Type, kRows, 2>(block, r, low, high, i);
    for (; i < padded_; i += 16) value_columns<Type, kRows, 1>(block, r, low, high, i);
  }

  template <typename Type, int kRows, int kColumns>
  void value_columns(const Block& block, std::uint32_t r, std::uint32_t low, std::uint32_t high,
                     std::uint32_t i) {
    F sums[kRows][kColumns];
    for (int t = 0; t < kRows; ++t) {
      for (int c = 0; c < kColumns; ++c)
        sums[t][c] = S::load_f32(acc_ + (r + t) * padded_ + i + 16 * c);
    }
    for (std::uint32_t j = low; j < high; ++j) {
      F v[kColumns];
      for (int c = 0; c < kColumns; ++c)
        v[c] = Type::load(block.rows[j] + (i + 16 * c) * Type::kValueBytes);
      for (int t = 0; t < kRows; ++t) {
        const F weight = S::broadcast(scores_[(r + t) * kKeys + j]);
        for (int c = 0; c < kColumns; ++c) sums[t][c] = S::fma(weight, v[c], sums[t][c]);
      }
    }
    for (int t = 0; t < kRows; ++t) {
      for (int c = 0; c < kColumns; ++c)
        S::store_f32(acc_ + (r + t) * padded_ + i + 16 * c, sums[t][c]);
    }
  }

  const AttentionTask& task_;
  const std::uint32_t rows_, first_, padded_;  // first_: of the task's queries
  float* const acc_;                           // [kAttentionRows, padded]
  float* const converted_;                     // [kKeys, padded]
  float* const queries_;                       // [kAttentionRows, padded]
  float* const scores_;                        // [kAttentionRows, kKeys], then the weights
  float* const max_;                           // [kAttentionRows]
  float* const sum_;                           // [kAttentionRows]
};

}  // namespace drystone

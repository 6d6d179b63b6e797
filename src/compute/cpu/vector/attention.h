#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/vector/kv_rows.h"
#include "compute/cpu/vector/math.h"
#include "compute/cpu/vector_kernels.h"

namespace drystone {

// Queries (a row's head each) that share a block of keys converted to f32.
inline constexpr std::uint32_t kAttentionRows = 32;

// Softmax as it goes, over blocks of kKeyBlock keys. Heads of a row count as rows here: query r is
// head r % heads of row r / heads. A row's scores, weights and sums are the same operations in the
// same order whether it comes alone or among others: tiles of rows only share loads. Few rows read
// f16 and f32 keys and values straight from the cache; more have each block converted once.
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
  static constexpr std::uint32_t kKeys = kKeyBlock;
  static constexpr std::uint32_t kLine = 64;       // bytes of the processor's caches
  static constexpr std::uint32_t kDirectRows = 4;  // at most so many read from the cache itself

  struct F32Values {
    static constexpr std::uint32_t kBytes = 4;
    static F load(const std::byte* at) { return S::load_f32(reinterpret_cast<const float*>(at)); }
  };
  struct F16Values {
    static constexpr std::uint32_t kBytes = 2;
    static F load(const std::byte* at) { return S::load_f16(at); }
  };

  // Values of consecutive keys: key j of the block at data + j * stride.
  struct ValueBlock {
    const std::byte* data;
    std::size_t stride;
  };

  Attention(const AttentionTask& task, std::uint32_t first_row, std::uint32_t rows)
      : task_(task),
        rows_(rows),
        first_(first_row),
        padded_((task.head_dim + 15) / 16 * 16),
        direct_(rows <= kDirectRows && task.k.type != KvType::q8_0 && padded_ == task.head_dim),
        acc_(task.scratch),
        converted_(acc_ + kAttentionRows * padded_),
        scores_(converted_ + kKeys * padded_),
        max_(scores_ + kAttentionRows * kKeys),
        sum_(max_ + kAttentionRows) {
    for (std::uint32_t r = 0; r < rows_; ++r) {
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
      // The rows that see a key of this block.
      std::uint32_t from = 0, to = rows_;
      while (from < to && position_of(from) < first) ++from;
      while (to > from && begin_of(to - 1) >= first + kKeys) --to;
      if (from >= to) continue;
      look_ahead(first, last);
      score(first, from, to);
      for (std::uint32_t r = from; r < to; ++r) weigh(r, first);
      add_values(first, last, from, to);
    }
    for (std::uint32_t r = 0; r < rows_; ++r) {
      const float* acc = acc_ + r * padded_;
      float* out = task_.out + place(r, task_.out_stride);
      const float inverse = 1 / sum_[r];
      for (std::uint32_t i = 0; i < task_.head_dim; ++i) out[i] = acc[i] * inverse;
    }
  }

  // What the cache holds of the block that begins at position `first`.
  const std::byte* block_of(const KvView& view, std::uint32_t first) const {
    return view.base + view.pages[first / view.page_tokens] * view.page_bytes +
           task_.kv_head * view.head_bytes + first % view.page_tokens * view.row_bytes;
  }

  // Pages lie apart, where the processor does not foresee them: while few rows work on a block, the
  // next one is on its way.
  void look_ahead(std::uint32_t first, std::uint32_t last) {
    const bool more = direct_ && first + kKeys <= last;
    const std::uint32_t next = more ? first + kKeys : first;
    keys_ahead_ = block_of(task_.k, next) - block_of(task_.k, first);
    values_ahead_ = block_of(task_.v, next) - block_of(task_.v, first);
  }

  // Into the second level: it has more places for lines under way than the first, which doubles
  // what a core of a Zen 4 gets from pages.
  static void fetch(const std::byte* at) { __builtin_prefetch(at, 0, 2); }

  // use(values) with how they are loaded.
  template <typename Use>
  static void with_type(KvType type, Use use) {
    if (type == KvType::f16) {
      use(F16Values{});
    } else {
      use(F32Values{});
    }
  }

  // Keys that no row sees give scores without meaning, which weigh() drops.
  void score(std::uint32_t first, std::uint32_t from, std::uint32_t to) {
    const std::byte* keys = block_of(task_.k, first);
    if (direct_)
      return with_type(task_.k.type, [&](auto values) {
        score_rows<decltype(values), S::kScoreRows>(keys, from, to);
      });
    KeyBlocks<S>::load(keys, converted_, task_.head_dim, task_.k.type);
    score_rows<F32Values, S::kScoreRows>(reinterpret_cast<const std::byte*>(converted_), from, to);
  }

  template <typename Values, int kRows>
  void score_rows(const std::byte* keys, std::uint32_t from, std::uint32_t to) {
    std::uint32_t r = from;
    for (; r + kRows <= to; r += kRows) score_tile<Values, kRows>(keys, r);
    if constexpr (kRows > 1) score_rows<Values, kRows / 2>(keys, r, to);
  }

  // kRows query rows times the block's keys: a lane for each key, so that nothing is summed over
  // lanes.
  template <typename Values, int kRows>
  void score_tile(const std::byte* keys, std::uint32_t r) {
    const float* q[kRows];
    F sums[kRows][2];
    for (int t = 0; t < kRows; ++t) {
      q[t] = task_.q + place(r + t, task_.q_stride);
      sums[t][0] = sums[t][1] = S::zero();
    }
    for (std::uint32_t i = 0; i < task_.head_dim; ++i, keys += kKeys * Values::kBytes) {
      for (std::uint32_t byte = 0; byte < kKeys * Values::kBytes; byte += kLine)
        fetch(keys + keys_ahead_ + byte);
      const F low = Values::load(keys), high = Values::load(keys + 16 * Values::kBytes);
      for (int t = 0; t < kRows; ++t) {
        const F value = S::broadcast(q[t][i]);
        sums[t][0] = S::fma(value, low, sums[t][0]);
        sums[t][1] = S::fma(value, high, sums[t][1]);
      }
    }
    for (int t = 0; t < kRows; ++t) {
      S::store_f32(scores_ + (r + t) * kKeys, sums[t][0]);
      S::store_f32(scores_ + (r + t) * kKeys + 16, sums[t][1]);
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

  // acc += weight * value. `last`: the last position that the cache must hold.
  void add_values(std::uint32_t first, std::uint32_t last, std::uint32_t from, std::uint32_t to) {
    const std::byte* values = block_of(task_.v, first);
    if (direct_)
      return with_type(task_.v.type, [&](auto type) {
        value_rows<decltype(type)>({values, task_.v.row_bytes}, first, from, to);
      });
    const std::uint32_t low = begin_of(from) > first ? begin_of(from) - first : 0;
    const std::uint32_t high = last < first + kKeys ? last - first + 1 : kKeys;
    for (std::uint32_t j = low; j < high; ++j)
      KvRows<S>::load(values + j * task_.v.row_bytes, converted_ + j * padded_, task_.head_dim,
                      task_.v.type);
    value_rows<F32Values>({reinterpret_cast<const std::byte*>(converted_), padded_ * sizeof(float)},
                          first, from, to);
  }

  template <typename Values>
  void value_rows(ValueBlock block, std::uint32_t first, std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t r = from; r < to;)
      r += value_tiles<Values, S::kValueRows>(block, first, r, to);
  }

  // The largest tile of at most kRows rows from r on that see the same keys of the block: at the
  // edges they may not, and a weight of 0 is no harm only for finite values. Returns its rows.
  template <typename Values, int kRows>
  std::uint32_t value_tiles(ValueBlock block, std::uint32_t first, std::uint32_t r,
                            std::uint32_t to) {
    const auto low_of = [&](std::uint32_t row) {
      return begin_of(row) > first ? begin_of(row) - first : 0;
    };
    const auto high_of = [&](std::uint32_t row) {
      return position_of(row) < first + kKeys ? position_of(row) - first + 1 : kKeys;
    };
    const std::uint32_t last = r + kRows - 1;
    if (kRows == 1 || (last < to && low_of(last) == low_of(r) && high_of(last) == high_of(r))) {
      value_tile<Values, kRows>(block, r, low_of(r), high_of(r));
      return kRows;
    }
    if constexpr (kRows > 1) return value_tiles<Values, kRows / 2>(block, first, r, to);
    return 1;
  }

  // Over keys in rising order.
  template <typename Values, int kRows>
  void value_tile(ValueBlock block, std::uint32_t r, std::uint32_t low, std::uint32_t high) {
    constexpr int kColumns = S::kValueColumns;
    std::uint32_t i = 0;
    for (; i + 16 * kColumns <= padded_; i += 16 * kColumns)
      value_columns<Values, kRows, kColumns>(block, r, low, high, i);
    for (; i < padded_; i += 16) value_columns<Values, kRows, 1>(block, r, low, high, i);
  }

  template <typename Values, int kRows, int kColumns>
  void value_columns(ValueBlock block, std::uint32_t r, std::uint32_t low, std::uint32_t high,
                     std::uint32_t i) {
    F sums[kRows][kColumns];
    for (int t = 0; t < kRows; ++t) {
      for (int c = 0; c < kColumns; ++c)
        sums[t][c] = S::load_f32(acc_ + (r + t) * padded_ + i + 16 * c);
    }
    const std::byte* at = block.data + low * block.stride + i * Values::kBytes;
    for (std::uint32_t j = low; j < high; ++j, at += block.stride) {
      for (std::uint32_t byte = 0; byte < 16 * kColumns * Values::kBytes; byte += kLine)
        fetch(at + values_ahead_ + byte);
      F v[kColumns];
      for (int c = 0; c < kColumns; ++c) v[c] = Values::load(at + 16 * c * Values::kBytes);
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
  const bool direct_;
  std::ptrdiff_t keys_ahead_ = 0, values_ahead_ = 0;  // bytes from a block to the next
  float* const acc_;                                  // [kAttentionRows, padded]
  float* const converted_;  // keys: [head_dim, kKeys]; values: [kKeys, padded]
  float* const scores_;     // [kAttentionRows, kKeys], then the weights
  float* const max_;        // [kAttentionRows]
  float* const sum_;        // [kAttentionRows]
};

}  // namespace drystone

#include "compute/blocks/scale_fit.h"

#include <array>
#include <cmath>

#include "compute/blocks/blocks.h"
#include "compute/blocks/lanes.h"

namespace drystone {
namespace {

struct Range {
  float low, high;
};

template <int kN>
Range range_of(const float* x) {
  Lanes low = load(x), high = low;
  for (int i = 4; i < kN; i += 4) {
    low = min(load(x + i), low);
    high = max(load(x + i), high);
  }
  return {std::fmin(std::fmin(low[0], low[1]), std::fmin(low[2], low[3])),
          std::fmax(std::fmax(high[0], high[1]), std::fmax(high[2], high[3]))};
}

// Weighted sums over a block that do not depend on the integers.
struct BlockSums {
  double w, x, xx;
};

template <int kN>
BlockSums sums_of(const float* x, const float* weight) {
  Lanes w{}, wx{}, wxx{};
  for (int i = 0; i < kN; i += 4) {
    const Lanes wi = load(weight + i), xi = load(x + i);
    w += wi;
    wx += wi * xi;
    wxx += wi * xi * xi;
  }
  return {sum(w), sum(wx), sum(wxx)};
}

struct Candidate {
  double scale, min, error;
};

// The best scale and minimum for the integers that step width 1 / `inverse` gives above `low`.
template <int kN>
Candidate solve_affine(const float* x, const float* weight, const BlockSums& s, float low,
                       float inverse, int levels_max) {
  Lanes wq{}, wqq{}, wqx{};
  for (int i = 0; i < kN; i += 4) {
    const Lanes xi = load(x + i);
    const Lanes q =
        round_clamped((xi - splat(low)) * splat(inverse), 0, static_cast<float>(levels_max));
    const Lanes w = load(weight + i) * q;
    wq += w;
    wqq += w * q;
    wqx += w * xi;
  }
  const double l = sum(wq), l2 = sum(wqq), lx = sum(wqx);
  const double determinant = s.w * l2 - l * l;
  if (!(determinant > 0)) return {0, 0, s.xx};
  double scale = (s.w * lx - s.x * l) / determinant;
  double offset = (l2 * s.x - l * lx) / determinant;
  if (offset > 0) {  // minima are stored unsigned: x ~ scale * q - min
    offset = 0;
    scale = l2 > 0 ? lx / l2 : 0;
  }
  const double error = s.xx - 2 * (scale * lx + offset * s.x) + scale * scale * l2 +
                       2 * scale * offset * l + offset * offset * s.w;
  return {scale, -offset, error};
}

}  // namespace

template <int kN>
AffineFit fit_affine(const float* x, const float* weight, const AffineGrid& grid) {
  Range range = range_of<kN>(x);
  float low = std::fmin(range.low, 0.0f);
  if (!(range.high > low)) return {0, -low};  // all equal and not positive
  const BlockSums sums = sums_of<kN>(x, weight);
  const float levels = static_cast<float>(grid.levels_max);
  Candidate best =
      solve_affine<kN>(x, weight, sums, low, levels / (range.high - low), grid.levels_max);
  for (int i = 0; i < grid.steps; ++i) {
    const float inverse = (levels + grid.first + 0.1f * static_cast<float>(i)) / (range.high - low);
    const Candidate found = solve_affine<kN>(x, weight, sums, low, inverse, grid.levels_max);
    if (found.scale > 0 && found.error < best.error) {
      best = found;
      low =
          static_cast<float>(-found.min);  // later steps of the grid start from the better minimum
    }
  }
  if (!(best.scale > 0))
    return {(range.high - low) / levels, -low};  // no weight counts: any fit is as good
  return {static_cast<float>(best.scale), static_cast<float>(best.min)};
}

template <int kN>
float fit_symmetric(const float* x, const float* weight, int half) {
  const Range range = range_of<kN>(x);
  const float extreme = -range.low > range.high ? range.low : range.high;
  if (!(std::fabs(extreme) > 1e-15f)) return 0;
  float best_scale = -extreme / static_cast<float>(half);
  double best = 0;  // the part of the weighted energy of x that is explained
  for (int step = -9; step <= 9; ++step) {
    const float inverse = -(static_cast<float>(half) + 0.1f * static_cast<float>(step)) / extreme;
    Lanes wqx{}, wqq{};
    for (int i = 0; i < kN; i += 4) {
      const Lanes xi = load(x + i);
      const Lanes q = round_clamped(xi * splat(inverse), static_cast<float>(-half),
                                    static_cast<float>(half - 1));
      const Lanes w = load(weight + i) * q;
      wqx += w * xi;
      wqq += w * q;
    }
    const double lx = sum(wqx), l2 = sum(wqq);
    if (l2 > 0 && lx * lx > best * l2) {
      best = lx * lx / l2;
      best_scale = static_cast<float>(lx / l2);
    }
  }
  return best_scale;
}

namespace {

// Borders between levels are multiples of one half, so truncating 2 * (x + 128) finds the level
// exactly.
constexpr int kIq4Slots = 512;
struct Iq4Tables {
  std::array<unsigned char, kIq4Slots> index;
  std::array<float, kIq4Slots> value;
};
constexpr Iq4Tables kIq4Tables = [] {
  Iq4Tables tables{};
  int level = 0;
  for (int slot = 0; slot < kIq4Slots; ++slot) {
    while (level < 15 && slot - 256 >= kIq4Values[level] + kIq4Values[level + 1]) ++level;
    tables.index[static_cast<std::size_t>(slot)] = static_cast<unsigned char>(level);
    tables.value[static_cast<std::size_t>(slot)] = kIq4Values[level];
  }
  return tables;
}();

void iq4_slots(const float* x, float inverse_scale, int* slots) {
  for (int i = 0; i < 32; i += 4) {
    const Lanes doubled = load(x + i) * splat(2 * inverse_scale) + splat(256);
    const IntLanes slot =
        __builtin_convertvector(max(min(doubled, splat(kIq4Slots - 1)), splat(0)), IntLanes);
    std::memcpy(slots + i, &slot, sizeof slot);
  }
}

}  // namespace

float fit_iq4(const float* x, const float* weight) {
  const Range range = range_of<32>(x);
  const float extreme = -range.low > range.high ? range.low : range.high;
  if (!(std::fabs(extreme) > 1e-15f)) return 0;
  // The longer tail of the levels (-127) may meet the extreme weight, or the shorter one (113).
  float best_scale = extreme / kIq4Values[0];
  double best = 0;
  for (int step = -8; step <= 7; ++step) {
    const float inverse = static_cast<float>(kIq4Values[0] + step) / extreme;
    int slots[32];
    iq4_slots(x, inverse, slots);
    Lanes wqx{}, wqq{};
    for (int i = 0; i < 32; i += 4) {
      const Lanes q = {kIq4Tables.value[static_cast<std::size_t>(slots[i])],
                       kIq4Tables.value[static_cast<std::size_t>(slots[i + 1])],
                       kIq4Tables.value[static_cast<std::size_t>(slots[i + 2])],
                       kIq4Tables.value[static_cast<std::size_t>(slots[i + 3])]};
      const Lanes w = load(weight + i) * q;
      wqx += w * load(x + i);
      wqq += w * q;
    }
    const double lx = sum(wqx), l2 = sum(wqq);
    if (l2 > 0 && lx * lx > best * l2) {
      best = lx * lx / l2;
      best_scale = static_cast<float>(lx / l2);
    }
  }
  return best_scale;
}

void nearest_iq4(const float* x, float inverse_scale, unsigned char* index) {
  int slots[32];
  iq4_slots(x, inverse_scale, slots);
  for (int i = 0; i < 32; ++i) index[i] = kIq4Tables.index[static_cast<std::size_t>(slots[i])];
}

template AffineFit fit_affine<16>(const float*, const float*, const AffineGrid&);
template AffineFit fit_affine<32>(const float*, const float*, const AffineGrid&);
template float fit_symmetric<16>(const float*, const float*, int);
template float fit_symmetric<32>(const float*, const float*, int);

}  // namespace drystone

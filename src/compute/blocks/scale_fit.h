#pragma once

// Searches for the scale of a block: those that make sum_i weight[i] * (x[i] - dequantized[i])^2
// small. Rounding makes the sum a jagged function of the scale, so each search walks a grid of step
// widths around the obvious one, rounds, solves for the best scale of these integers in closed form
// (least squares), and keeps the best.

namespace drystone {

struct AffineFit {
  float scale, min;  // x ~ scale * q - min, both >= 0
};

// q in [0, levels_max]. The grid of step widths is range / (levels_max + first + i * 0.1), i in [0,
// steps).
struct AffineGrid {
  int levels_max;
  float first;
  int steps;
};

// kN weights (16 or 32).
template <int kN>
AffineFit fit_affine(const float* x, const float* weight, const AffineGrid& grid);

// x ~ scale * q, q in [-half, half - 1]; the scale may be negative.
template <int kN>
float fit_symmetric(const float* x, const float* weight, int half);

// x ~ scale * level, 32 weights, levels of kIq4Values; the scale may be negative.
float fit_iq4(const float* x, const float* weight);

// The index of the level of kIq4Values that is nearest to x * inverse_scale, for 32 weights.
void nearest_iq4(const float* x, float inverse_scale, unsigned char* index);

}  // namespace drystone

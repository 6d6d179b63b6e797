#include "engine/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace drystone {
namespace {

// Probabilities come from these: their error must drown in that of the float logits.
TEST(PortableMath, AgreesWithLibm) {
  for (float x = -86; x < 87; x += 0.00731f) {
    EXPECT_NEAR(portable_exp(x) / std::exp(static_cast<double>(x)), 1, 2e-7) << x;
  }
  for (double x = 1e-30; x < 1e30; x *= 1.0173)
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * (1 + std::abs(std::log(x)))) << x;
}

// Masked logits are -infinity, and a tiny temperature makes huge distances.
TEST(PortableMath, ExpOfTheExtremes) {
  EXPECT_EQ(portable_exp(0), 1.0f);
  EXPECT_EQ(portable_exp(-1e30f), 0.0f);
  EXPECT_EQ(portable_exp(-INFINITY), 0.0f);
  EXPECT_TRUE(std::isfinite(portable_exp(1e30f)));
}

}  // namespace
}  // namespace drystone

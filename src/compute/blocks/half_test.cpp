#include "compute/blocks/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace drystone {
namespace {

// Independent of the code under test: the value by the definition of the format.
double f16_by_definition(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

// Every scale of every block goes through this conversion.
TEST(Half, EveryF16HasTheValueOfItsDefinition) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(half));
    if ((half & 0x7fff) > 0x7c00) {
      EXPECT_TRUE(std::isnan(value)) << half;
    } else if ((half & 0x7fff) == 0x7c00) {
      EXPECT_EQ(value, half & 0x8000 ? -INFINITY : INFINITY);
    } else {
      EXPECT_EQ(value, f16_by_definition(static_cast<std::uint16_t>(half))) << half;
      EXPECT_EQ(std::signbit(value), (half & 0x8000) != 0) << half;
    }
  }
}

// What is read and written back must not drift, NaNs' payloads apart from the quiet bit included.
TEST(Half, F16SurvivesTheWayThroughF32) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const std::uint32_t quiet = (half & 0x7fff) > 0x7c00 ? half | 0x200 : half;
    EXPECT_EQ(f32_to_f16(f16_to_f32(static_cast<std::uint16_t>(half))), quiet) << half;
  }
}

// Rounding to nearest, ties to even, is what every other writer does: files would differ otherwise.
TEST(Half, F16RoundsToNearestWithTiesToEven) {
  for (std::uint32_t half = 0; half < 0x7bff; ++half) {
    const float low = f16_to_f32(static_cast<std::uint16_t>(half));
    const float high = f16_to_f32(static_cast<std::uint16_t>(half + 1));
    const float middle = (low + high) / 2;  // exact: f32 has bits to spare
    const std::uint16_t even = static_cast<std::uint16_t>(half % 2 == 0 ? half : half + 1);
    ASSERT_EQ(f32_to_f16(middle), even) << half;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, low)), half) << half;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, high)), half + 1) << half;
    ASSERT_EQ(f32_to_f16(-middle), even | 0x8000) << half;
  }
}

TEST(Half, F16OverflowsToInfinityOnlyBeyondHalfAStep) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(f32_to_f16(-INFINITY), 0xfc00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Half, Bf16RoundsToNearestWithTiesToEven) {
  for (std::uint32_t upper = 0; upper < 0x7f80; ++upper) {
    const auto at = [&](std::uint32_t low) { return std::bit_cast<float>(upper << 16 | low); };
    ASSERT_EQ(bf16_to_f32(static_cast<std::uint16_t>(upper)), at(0));
    ASSERT_EQ(f32_to_bf16(at(0x7fff)), upper);
    ASSERT_EQ(f32_to_bf16(at(0x8000)), upper + upper % 2);
    ASSERT_EQ(f32_to_bf16(-at(0x8001)), (upper + 1) | 0x8000);
  }
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(f32_to_bf16(INFINITY), 0x7f80);
}

}  // namespace
}  // namespace drystone

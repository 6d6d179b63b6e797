#include "serve/peer/split/row_codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace drystone {
namespace {

std::vector<float> random_values(std::size_t count, float scale) {
  Rng rng(3);
  std::vector<float> values(count);
  for (float& value : values) value = rng.normal() * scale;
  return values;
}

// A split model writes the text of a whole one only if rows lose nothing.
TEST(RowCodec, F32KeepsEveryBit) {
  const auto values = random_values(2 * 70, 5);
  std::vector<std::byte> scratch;
  const auto bytes = encode_rows(RowFormat::f32, values, 70, scratch);
  EXPECT_EQ(bytes.size(), 2 * row_bytes(RowFormat::f32, 70));
  EXPECT_EQ(bytes.data(), reinterpret_cast<const std::byte*>(values.data()));
}

// Widths that are no multiple of a block, too.
TEST(RowCodec, RoundedRowsStayClose) {
  for (const std::size_t width : {32u, 70u, 256u}) {
    const auto values = random_values(3 * width, 40);
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    for (const RowFormat format : {RowFormat::f16, RowFormat::q8}) {
      std::vector<std::byte> scratch;
      const auto bytes = encode_rows(format, values, width, scratch);
      EXPECT_EQ(bytes.size(), 3 * row_bytes(format, width));
      std::vector<float> back(values.size());
      decode_rows(format, bytes, width, back);
      const float limit = format == RowFormat::f16 ? largest / 2048 : largest / 200;
      for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], limit);
    }
  }
}

// Some models have single values in the thousands; one beyond f16 must not become infinite.
TEST(RowCodec, LargeValuesAndZeroesSurvive) {
  for (const RowFormat format : {RowFormat::f16, RowFormat::q8}) {
    std::vector<float> values(64, 0.0f);
    values[40] = -1e6f;
    std::vector<std::byte> scratch;
    const auto bytes = encode_rows(format, values, 64, scratch);
    std::vector<float> back(64);
    decode_rows(format, bytes, 64, back);
    EXPECT_TRUE(std::isfinite(back[40]));
    EXPECT_LT(back[40], -65000.0f);
    EXPECT_EQ(back[0], 0.0f);
  }
}

}  // namespace
}  // namespace drystone

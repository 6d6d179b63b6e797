#include "serve/api/answer/vector_request.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace drystone {
namespace {

// Known pairs: 1.0f is the bytes 00 00 80 3f. Every remainder of the length modulo 3 has its
// padding.
TEST(Base64, WritesLittleEndianFloats) {
  EXPECT_EQ(base64({}), "");
  EXPECT_EQ(base64(std::vector<float>{1}), "AACAPw==");
  EXPECT_EQ(base64(std::vector<float>{1, -2}), "AACAPwAAAMA=");
  EXPECT_EQ(base64(std::vector<float>{1, -2, 0.5f}), "AACAPwAAAMAAAAA/");
}

// A vector that changes on its way changes who is found.
TEST(AppendJson, ReadsBackAsTheSameFloats) {
  const std::vector<float> values = {0, -0.1f, 1e-30f, 3.4e38f, 0.33333334f, 1};
  std::string text;
  append_json(text, values);
  const auto parsed = boost::json::parse(text).as_array();
  ASSERT_EQ(parsed.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(static_cast<float>(parsed[i].to_number<double>()), values[i]) << text;
}

}  // namespace
}  // namespace drystone

#include "engine/classifier.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

class TwoRows final : public TensorSource {
 public:
  Result<Tensor> read(const TensorSpec&) override {
    return Tensor{DType::f32, std::as_bytes(std::span(values))};
  }
  Result<DType> type(const TensorSpec&) override { return DType::f32; }
  Result<void> release(const TensorSpec&) override { return {}; }
  const std::vector<float> values = {1, 0, 2, 0, 1, 0};
};

// The score that clients sort by: the odds of the classes are e to the difference of their
// products.
TEST(Classifier, ProbabilitiesAreTheSoftmaxOfItsRows) {
  TwoRows source;
  const auto classifier = Classifier::load({.name = "cls.output.weight",
                                            .role = TensorRole::classifier,
                                            .rows = 2,
                                            .cols = 3,
                                            .file_rows = 2},
                                           {"yes", "no"}, source);
  ASSERT_TRUE(classifier);
  const auto even = classifier->probabilities(std::vector<float>{1, 3, 1});
  EXPECT_FLOAT_EQ(even[0], 0.5f);
  EXPECT_FLOAT_EQ(even[1], 0.5f);
  const auto sure = classifier->probabilities(std::vector<float>{1, 0, 0});
  EXPECT_NEAR(sure[0], 0.7310585786, 1e-6);
  const auto far = classifier->probabilities(std::vector<float>{0, 1000, 0});
  EXPECT_FLOAT_EQ(far[0], 0);  // no overflow
  EXPECT_FLOAT_EQ(far[1], 1);
}

}  // namespace
}  // namespace drystone

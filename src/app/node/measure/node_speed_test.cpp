#include "app/node/measure/node_speed.h"

#include <gtest/gtest.h>

#include "app/node/measure/sample_steps.h"

namespace drystone {
namespace {

using namespace sample_steps;

// A machine that makes 1e11 products a second, 1e10 of attention, and needs so much longer for a
// layer.
Measured machine(double layer_extra_s) {
  const double attention_s = kAttentionOps * kRows * (kContext - kRows) / 1e10;
  const double layer_s =
      kRows * (kWeights / 1e11 + kAttentionOps * kRows / 2 / 1e10) + layer_extra_s;
  return {.read_bandwidth = 2e10,
          .rounds = {{{"q4_0", {1e11, 1e11, 5e10}}}},
          .steps = {.few_layers = 2e-5,
                    .many_layers = 2e-5 + (kMany - kFew) * 5e-6,
                    .prompt_near = 1e-3,
                    .prompt_far = 1e-3 + attention_s,
                    .one_layer = 1e-3,
                    .more_layers = 1e-3 + (kMore - 1) * layer_s}};
}

TEST(NodeSpeed, FollowsFromDifferencesOfSteps) {
  NodeFigures figures;
  set_speed(figures, machine(0));
  EXPECT_EQ(figures.read_bandwidth, 2e10);
  EXPECT_NEAR(*figures.rates[kAttentionRate].prompt, 1e10, 1e4);
  EXPECT_FALSE(figures.rates[kAttentionRate].generated);
  EXPECT_NEAR(*figures.rates["q4_0"].prompt, 1e11, 1e6);
  EXPECT_NEAR(*figures.layer_fixed_s, 5e-6, 1e-9);
  EXPECT_NEAR(*figures.step_fixed_s, 1e-5, 1e-9);
}

TEST(NodeSpeed, RatesContainWhatLayersDoBesides) {
  NodeFigures figures;
  const Measured measured = machine(1e-3);
  set_speed(figures, measured);
  // Of 128 rows 1024 wide, taken for a row 2048 wide and 44e6 weights.
  EXPECT_NEAR(44e6 / *figures.rates["q4_0"].prompt, 44e6 / 1e11 + 1e-3 / 128 * 2, 1e-9);
  EXPECT_TRUE(is_plausible(measured));
}

// Nothing but a pause makes a layer 200 times slower than its products.
TEST(NodeSpeed, AnExtraThatIsNearlyAllTheTimeIsNotPlausible) {
  const Measured paused = machine(2.5);
  EXPECT_FALSE(is_plausible(paused));
  NodeFigures figures;
  set_speed(figures, paused);
  EXPECT_EQ(figures.rates["q4_0"].prompt, 1e11);
  EXPECT_TRUE(is_plausible(Measured()));
}

}  // namespace
}  // namespace drystone

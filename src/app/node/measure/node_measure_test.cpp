#include "app/node/measure/node_measure.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/node/measure/node_memory.h"
#include "app/node/measure/node_speed.h"
#include "app/node/measure/temperatures.h"
#include "app/node/measure/test_clock.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

// Without a rate for each type of weights there is no estimate for models that have it.
TEST(NodeMeasure, MeasuresEveryTypeOfWeights) {
  const SystemClock clock;
  const auto start = clock.monotonic();
  const Measured measured =
      measure_node({.isa = *choose_isa(""), .threads = 1, .memory_bytes = 2 * kGiB}, clock);
  const double took_s = seconds(clock.monotonic() - start);
  NodeFigures figures;
  set_speed(figures, measured);
  for (const char* type : {"f32", "f16", "q4_0", "q8_0", "q4_k", "q6_k", kAttentionRate}) {
    ASSERT_TRUE(figures.rates.contains(type)) << type;
    EXPECT_GT(figures.rates.at(type).prompt.value_or(0), 1e6) << type;
    EXPECT_GT(figures.rates.at(type).generated.value_or(0), 1e6) << type;
  }
  EXPECT_TRUE(figures.layer_fixed_s && *figures.layer_fixed_s < 0.01);
  EXPECT_TRUE(figures.step_fixed_s && *figures.step_fixed_s < 0.01);
  EXPECT_GT(figures.read_bandwidth.value_or(0), 1e8);
  RecordProperty("seconds", std::to_string(took_s));
  if (std::getenv("DRYSTONE_SHOW_FIGURES") != nullptr) {
    fmt::print("{:.2f} s, {:.1f} GB/s, layer {:.1f} us, step {:.1f} us\n", took_s,
               *figures.read_bandwidth / 1e9, *figures.layer_fixed_s * 1e6,
               *figures.step_fixed_s * 1e6);
    for (const auto& [type, rates] : figures.rates)
      fmt::print("{:10} G/s: prompt {:8.1f}, 8 rows {:8.1f}, 4 rows {:8.1f}, one {:8.1f}\n", type,
                 rates.prompt.value_or(0) / 1e9, rates.generated.value_or(0) / 1e9,
                 rates.few.value_or(0) / 1e9, rates.streamed.value_or(0) / 1e9);
    for (const auto& [name, time] : kStepTimes)
      fmt::print("{:14} {:.1f} us\n", name, (measured.steps.*time).value_or(0) * 1e6);
  }
}

// A node whose machine slept for a moment took itself for 200 times slower, for good. Here each
// look at the clock is 4 milliseconds later, but for some that half a second is lost before.
TEST(NodeMeasure, PausesChangeNothing) {
  const MeasureOptions options{.isa = *choose_isa(""), .threads = 1, .memory_bytes = 256 * kMiB};
  const Measured quiet = measure_node(options, TestClock(0.004));
  TestClock paused(0.004);
  paused.pause(/*every=*/211, /*pause_s=*/0.5);
  EXPECT_EQ(measure_node(options, paused), quiet);
  EXPECT_TRUE(quiet.read_bandwidth && quiet.steps.more_layers && quiet.products().contains("q4_0"));
}

TEST(NodeMeasure, StopsWithinMoments) {
  int asked = 0;
  const Measured measured = measure_node(
      {.isa = *choose_isa(""), .threads = 1, .stop = [&] { return ++asked > 3; }}, SystemClock());
  EXPECT_LE(measured.products().size(), 2u);
}

TEST(NodeMemory, IsTold) {
  const std::string id = memory_id();
  EXPECT_TRUE(id.empty() || id.size() == 36) << id;  // a UUID of this boot
  EXPECT_EQ(memory_id(), memory_id());
  const NodeMemory memory = node_memory();
  ASSERT_TRUE(memory.total && memory.available);
  EXPECT_LE(*memory.available, *memory.total);
}

TEST(Temperatures, AreReadWhereTheSystemTellsThem) {
  const fs::path root = fs::temp_directory_path() / fmt::format("temperatures-{}", getpid());
  EXPECT_TRUE(read_temperatures(root).empty());
  const fs::path zone = root / "sys/class/thermal/thermal_zone0";
  fs::create_directories(zone);
  std::ofstream(zone / "type") << "x86_pkg_temp\n";
  std::ofstream(zone / "temp") << "41500\n";
  ASSERT_EQ(read_temperatures(root).size(), 1u);
  EXPECT_EQ(read_temperatures(root)[0].sensor, "x86_pkg_temp");
  EXPECT_EQ(read_temperatures(root)[0].celsius, 41.5);
  const fs::path chip = root / "sys/class/hwmon/hwmon1";
  fs::create_directories(chip);
  std::ofstream(chip / "name") << "coretemp\n";
  std::ofstream(chip / "temp1_input") << "52000\n";
  std::ofstream(chip / "temp1_label") << "Package id 0\n";
  std::ofstream(chip / "temp2_input") << "0\n";  // a sensor that is not there
  ASSERT_EQ(read_temperatures(root).size(), 1u);
  EXPECT_EQ(read_temperatures(root)[0].sensor, "coretemp Package id 0");
  fs::remove_all(root);
}

}  // namespace
}  // namespace drystone

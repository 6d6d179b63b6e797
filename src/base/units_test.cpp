#include "base/units.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// People compare these figures with their machine's memory: three digits, binary units, never "1000
// MiB".
TEST(Units, BytesShowThreeDigitsInBinaryUnits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(340 * kKiB), "340 KiB");
  EXPECT_EQ(format_bytes(kGiB + kGiB / 2), "1.50 GiB");
  EXPECT_EQ(format_bytes(1000 * kMiB), "0.98 GiB");
  EXPECT_EQ(format_bytes(44'236'000'000), "41.2 GiB");
}

}  // namespace
}  // namespace drystone

#include "compute/cpu/device/control_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace drystone {
namespace {

// A root folder with the few files of the kernel that matter.
class ControlGroupTest : public testing::Test {
 protected:
  ~ControlGroupTest() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void group(const std::string& path, const std::string& max, Bytes current, Bytes cached = 0) {
    write(path + "/memory.max", max + "\n");
    write(path + "/memory.current", std::to_string(current) + "\n");
    write(path + "/memory.stat",
          "anon 7\ninactive_file " + std::to_string(cached) + "\nactive_file 0\n");
  }
  std::optional<Bytes> headroom() const { return control_group_headroom(root_); }

  const std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) / ("control-group-" + std::to_string(getpid()));
};

// A service's limit stands in the group of the service, not at the top: a model that is loaded past
// it is killed.
TEST_F(ControlGroupTest, TheSmallestOfAllGroupsAroundUsCounts) {
  write("proc/self/cgroup", "0::/system.slice/drystone.service\n");
  EXPECT_FALSE(headroom());
  group("sys/fs/cgroup/system.slice/drystone.service", "max", 500);
  EXPECT_FALSE(headroom());
  group("sys/fs/cgroup/system.slice", "4000", 1000);
  EXPECT_EQ(headroom(), 3000u);
  group("sys/fs/cgroup/system.slice/drystone.service", "1000", 400, 100);
  EXPECT_EQ(headroom(), 700u);
  group("sys/fs/cgroup", "2000", 1900);
  EXPECT_EQ(headroom(), 100u);
  group("sys/fs/cgroup/system.slice", "1000", 1500);
  EXPECT_EQ(headroom(), 0u) << "a group may be above its limit for a while";
}

TEST_F(ControlGroupTest, AContainerThatHidesItsPathIsReadAtTheTop) {
  write("proc/self/cgroup", "0::/docker/abc\n");
  group("sys/fs/cgroup", "3000", 1000);
  EXPECT_EQ(headroom(), 2000u);
  write("proc/self/cgroup", "0::/../../other\n");
  EXPECT_EQ(headroom(), 2000u);
}

TEST_F(ControlGroupTest, ReadsTheMemoryControllerOfVersionOne) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/c\n");
  const std::string at = "sys/fs/cgroup/memory/a";
  write(at + "/b/memory.limit_in_bytes", "9223372036854771712\n");
  write(at + "/b/memory.usage_in_bytes", "600\n");
  write(at + "/memory.limit_in_bytes", "1000\n");
  write(at + "/memory.usage_in_bytes", "600\n");
  write(at + "/memory.stat", "inactive_file 1\ntotal_inactive_file 50\ntotal_active_file 40\n");
  EXPECT_EQ(headroom(), 490u);
}

TEST_F(ControlGroupTest, NoFilesMeanNoLimit) { EXPECT_FALSE(headroom()); }

}  // namespace
}  // namespace drystone

#include "net/interfaces.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "net/interface_facts.h"

namespace drystone {
namespace {
namespace fs = std::filesystem;
using boost::asio::ip::make_address;

TEST(Interfaces, LoopbackIsThere) {
  const auto all = list_interfaces();
  ASSERT_TRUE(all) << all.error().message();
  const auto loopback = std::find_if(all->begin(), all->end(), [](const Interface& interface) {
    return interface.kind == InterfaceKind::loopback;
  });
  if (loopback == all->end() || !loopback->up)
    GTEST_SKIP() << "this machine has no loopback interface that is up";
  EXPECT_GT(loopback->index, 0U);
  EXPECT_FALSE(loopback->speed_mbit) << "of loopback no speed is known";
  EXPECT_TRUE(reaches(*loopback, make_address("127.0.0.5")));
}

#ifdef __linux__
class InterfaceFactsTest : public testing::Test {
 protected:
  ~InterfaceFactsTest() override { fs::remove_all(folder_); }

  void write(const char* file, std::string_view text) {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text << "\n";
  }

  fs::path folder_ =
      fs::temp_directory_path() / ("drystone-interfaces-" + std::to_string(::getpid()));
};

TEST_F(InterfaceFactsTest, KindAndSpeedAreAsLinuxTells) {
  write("eth0/type", "1");
  write("eth0/speed", "2500");
  write("eth0/device/vendor", "x");
  const auto cable = interface_facts(folder_, "eth0");
  EXPECT_EQ(cable.kind, InterfaceKind::ethernet);
  EXPECT_EQ(cable.speed_mbit, 2500U);

  write("wlan0/type", "1");
  write("wlan0/device/vendor", "x");
  write("wlan0/phy80211/name", "phy0");
  EXPECT_EQ(interface_facts(folder_, "wlan0").kind, InterfaceKind::wifi);

  write("thunderbolt0/type", "1");
  fs::create_directories(folder_ / "thunderbolt0/device");
  fs::create_directory_symlink("/drivers/thunderbolt-net", folder_ / "thunderbolt0/device/driver");
  EXPECT_EQ(interface_facts(folder_, "thunderbolt0").kind, InterfaceKind::thunderbolt);

  write("docker0/type", "1");
  EXPECT_EQ(interface_facts(folder_, "docker0").kind, InterfaceKind::virtual_link);

  write("lo/type", "772");
  EXPECT_EQ(interface_facts(folder_, "lo").kind, InterfaceKind::loopback);
}

// A speed of 0 would make the planner divide by it; one of 4294967295 would win every comparison.
TEST_F(InterfaceFactsTest, WhatIsNotKnownIsNotZero) {
  EXPECT_EQ(interface_facts(folder_, "none").kind, InterfaceKind::unknown);
  EXPECT_FALSE(interface_facts(folder_, "none").speed_mbit);
  for (const char* speed : {"-1", "0", "4294967295", "", "fast"}) {
    write("eth1/speed", speed);
    EXPECT_FALSE(interface_facts(folder_, "eth1").speed_mbit) << speed;
  }
}
#endif

TEST(Interfaces, ReachWhatIsInTheirNetwork) {
  const Interface interface{.name = "eth0",
                            .index = 7,
                            .addresses = {{make_address("10.1.2.3"), 20},
                                          {make_address("2001:db8:1::5"), 64},
                                          {make_address("fe80::1%7"), 64}}};
  EXPECT_TRUE(reaches(interface, make_address("10.1.15.255")));
  EXPECT_FALSE(reaches(interface, make_address("10.1.16.0")));
  EXPECT_TRUE(reaches(interface, make_address("2001:db8:1:0:ffff::1")));
  EXPECT_FALSE(reaches(interface, make_address("2001:db8:1:1::1")));
  EXPECT_TRUE(reaches(interface, make_address("fe80::2%7")));
  EXPECT_FALSE(reaches(interface, make_address("fe80::2%8")));
}

}  // namespace
}  // namespace drystone

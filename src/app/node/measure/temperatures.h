#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace drystone {

struct Temperature {
  std::string sensor;  // "coretemp Package id 0"
  double celsius = 0;
};

constexpr std::size_t kTemperaturesMax = 32;

// What the system tells, below `root` on Linux (/sys/class/hwmon, else /sys/class/thermal); empty
// where it tells nothing. Readings that no sensor can mean are left out.
std::vector<Temperature> read_temperatures(const std::filesystem::path& root = "/");

}  // namespace drystone

#include "app/node/measure/temperatures.h"

#include <algorithm>
#include <fstream>
#include <optional>

namespace drystone {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEntriesMax = 256;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  line.resize(std::min<std::size_t>(line.size(), 64));
  return line;
}

// In thousandths of a degree, as the kernel writes it.
std::optional<double> celsius(const fs::path& path) {
  constexpr double kMin = -50, kMax = 200;
  std::ifstream file(path);
  double value = 0;
  if (!(file >> value)) return std::nullopt;
  value /= 1000;
  // A sensor that is not there often reads 0.
  return value > kMin && value < kMax && value != 0 ? std::optional(value) : std::nullopt;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    paths.push_back(at->path());
    if (paths.size() >= kEntriesMax) break;
  }
  std::ranges::sort(paths);
  return paths;
}

void read_hwmon(const fs::path& folder, std::vector<Temperature>& found) {
  for (const fs::path& chip : entries(folder)) {
    const std::string name = first_line(chip / "name");
    for (const fs::path& file : entries(chip)) {
      const std::string input = file.filename().string();
      if (!input.starts_with("temp") || !input.ends_with("_input")) continue;
      const std::string number = input.substr(0, input.find('_'));
      const std::string label = first_line(chip / (number + "_label"));
      if (const auto value = celsius(file))
        found.push_back({name + " " + (label.empty() ? number : label), *value});
    }
  }
}

void read_zones(const fs::path& folder, std::vector<Temperature>& found) {
  for (const fs::path& zone : entries(folder)) {
    if (!zone.filename().string().starts_with("thermal_zone")) continue;
    if (const auto value = celsius(zone / "temp"))
      found.push_back({first_line(zone / "type"), *value});
  }
}

}  // namespace

std::vector<Temperature> read_temperatures(const fs::path& root) {
  std::vector<Temperature> found;
  read_hwmon(root / "sys/class/hwmon", found);
  if (found.empty()) read_zones(root / "sys/class/thermal", found);
  if (found.size() > kTemperaturesMax) found.resize(kTemperaturesMax);
  return found;
}

}  // namespace drystone

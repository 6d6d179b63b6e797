#include "compute/cpu/device/control_group.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

namespace drystone {
namespace {

namespace fs = std::filesystem;

// What the files of one version are called.
struct Names {
  const char *limit, *used, *inactive_file, *active_file;
};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file", "total_active_file"};
constexpr Names kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

// Absent too where the file holds the word "max".
std::optional<Bytes> number_in(const fs::path& path) {
  std::ifstream file(path);
  Bytes value;
  return file >> value ? std::optional(value) : std::nullopt;
}

std::optional<Bytes> headroom_of(const fs::path& group, const Names& names) {
  const auto limit = number_in(group / names.limit), used = number_in(group / names.used);
  if (!limit || !used) return std::nullopt;
  Bytes reclaimable = 0;  // pages of files: the system gives them up when we need the memory
  std::ifstream stat(group / "memory.stat");
  Bytes value;
  for (std::string key; stat >> key >> value;)
    if (key == names.inactive_file || key == names.active_file) reclaimable += value;
  const Bytes held = *used - std::min(*used, reclaimable);
  return *limit - std::min(*limit, held);
}

std::optional<Bytes> limit_of(const fs::path& group, const Names& names) {
  return number_in(group / names.limit);
}

using Figure = std::optional<Bytes> (*)(const fs::path& group, const Names& names);

// The smallest of a group and of those around it. Where a container hides the upper groups, its own
// lies at the top of `mount`, and the folders of `path` are absent.
std::optional<Bytes> smallest_around(const fs::path& mount, fs::path path, const Names& names,
                                     Figure figure) {
  std::optional<Bytes> smallest;
  path = path.lexically_normal().relative_path();
  while (true) {
    if (const auto here = figure(mount / path, names))
      smallest = std::min(smallest.value_or(*here), *here);
    if (path.empty()) return smallest;
    path = path.parent_path();
  }
}

bool has_word(std::string_view list, std::string_view word) {
  return ("," + std::string(list) + ",").find("," + std::string(word) + ",") != std::string::npos;
}

std::optional<Bytes> smallest(const fs::path& root, Figure figure) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  std::optional<Bytes> smallest;
  for (std::string line; std::getline(groups, line);) {  // NUMBER:CONTROLLERS:PATH
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    std::optional<Bytes> here;
    if (controllers.empty()) here = smallest_around(mount, path, kVersion2, figure);
    if (has_word(controllers, "memory"))
      here = smallest_around(mount / "memory", path, kVersion1, figure);
    if (here) smallest = std::min(smallest.value_or(*here), *here);
  }
  return smallest;
}

}  // namespace

std::optional<Bytes> control_group_headroom(const fs::path& root) {
  return smallest(root, headroom_of);
}

std::optional<Bytes> control_group_limit(const fs::path& root) { return smallest(root, limit_of); }

}  // namespace drystone

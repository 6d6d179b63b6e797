#include <fstream>

#include "net/interface_facts.h"

namespace drystone {
namespace fs = std::filesystem;

namespace {

constexpr int kTypeEthernet = 1, kTypeLoopback = 772;  // ARPHRD_ETHER, ARPHRD_LOOPBACK

std::optional<long> number_in(const fs::path& file) {
  std::ifstream stream(file);
  long number = 0;
  if (stream >> number) return number;  // Reading `speed` fails where there is none.
  return std::nullopt;
}

InterfaceKind kind_of(const fs::path& folder) {
  std::error_code error;
  const auto type = number_in(folder / "type");
  if (type == kTypeLoopback) return InterfaceKind::loopback;
  if (fs::exists(folder / "wireless", error) || fs::exists(folder / "phy80211", error))
    return InterfaceKind::wifi;
  const fs::path driver = fs::read_symlink(folder / "device" / "driver", error).filename();
  if (driver == "thunderbolt-net" || driver == "thunderbolt_net") return InterfaceKind::thunderbolt;
  if (!fs::exists(folder, error)) return InterfaceKind::unknown;
  if (!fs::exists(folder / "device", error)) return InterfaceKind::virtual_link;
  return type == kTypeEthernet ? InterfaceKind::ethernet : InterfaceKind::unknown;
}

}  // namespace

InterfaceFacts interface_facts(const fs::path& interfaces, const std::string& name) {
  const fs::path folder = interfaces / name;
  InterfaceFacts facts{.kind = kind_of(folder)};
  // -1 where the driver does not know, as in most virtual machines.
  const auto speed = number_in(folder / "speed");
  if (speed && *speed > 0 && *speed <= 10'000'000)
    facts.speed_mbit = static_cast<std::uint32_t>(*speed);
  return facts;
}

}  // namespace drystone

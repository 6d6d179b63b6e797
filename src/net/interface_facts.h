#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "net/interfaces.h"

namespace drystone {

// What the system knows of an interface besides its addresses. One file per system
// (interface_facts_*.cpp), chosen by CMake.
struct InterfaceFacts {
  InterfaceKind kind = InterfaceKind::unknown;
  std::optional<std::uint32_t> speed_mbit;
};

// `interfaces` is the folder where the system tells, on Linux /sys/class/net.
InterfaceFacts interface_facts(const std::filesystem::path& interfaces, const std::string& name);

}  // namespace drystone

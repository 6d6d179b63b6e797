#include "app/node/measure/machine_facts.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <set>

#include "app/node/measure/temperatures.h"
#include "cluster/wire/json_fields.h"
#include "net/interfaces.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kTextMax = 128, kInterfacesMax = 64, kAddressesMax = 16;

json::array disks(const std::vector<std::filesystem::path>& folders) {
  json::array out;
  std::set<std::pair<std::uintmax_t, std::uintmax_t>> seen;  // one entry for folders of one disk
  for (const auto& folder : folders) {
    std::error_code error;
    const auto space = std::filesystem::space(folder, error);
    if (error || !seen.emplace(space.capacity, space.free).second) continue;
    out.push_back({{"path", one_line(folder.string(), kTextMax)},
                   {"total_bytes", space.capacity},
                   {"free_bytes", space.available}});
  }
  return out;
}

json::array interfaces() {
  json::array out;
  const auto all = list_interfaces();
  if (!all) return out;
  for (const Interface& one : *all) {
    if (one.kind == InterfaceKind::loopback || out.size() >= kInterfacesMax) continue;
    json::object each = {
        {"name", one_line(one.name, kTextMax)}, {"kind", to_string(one.kind)}, {"up", one.up}};
    if (one.speed_mbit) each["speed_mbit"] = *one.speed_mbit;
    json::array addresses;
    for (const InterfaceAddress& address : one.addresses)
      if (addresses.size() < kAddressesMax)
        addresses.push_back(json::string(address.address.to_string()));
    each["addresses"] = std::move(addresses);
    out.push_back(std::move(each));
  }
  return out;
}

json::array temperatures() {
  json::array out;
  for (const Temperature& one : read_temperatures())
    out.push_back({{"sensor", one_line(one.sensor, kTextMax)},
                   {"celsius", std::round(one.celsius * 10) / 10}});
  return out;
}

}  // namespace

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    for (const char* key : {"model name", "Model", "cpu model"})
      if (line.starts_with(key))
        if (const std::size_t colon = line.find(": "); colon != std::string::npos)
          return one_line(line.substr(colon + 2), kTextMax);
  return "";
}

json::object describe_machine(const MachineFacts& facts) {
  json::object out = {{"version", facts.version}, {"threads", facts.threads}};
  if (!facts.cpu.empty()) out["cpu"] = facts.cpu;
  if (!facts.isa.empty()) {
    out["isa"] = facts.isa;
    out["devices"] =
        json::array{json::object{{"kind", "cpu"},
                                 {"name", fmt::format("{} ({} thread{})", facts.isa, facts.threads,
                                                      facts.threads == 1 ? "" : "s")}}};
  }
  const auto tell = [&](std::string_view name, json::array list) {
    if (!list.empty()) out[name] = std::move(list);  // else it is not known
  };
  tell("disks", disks(facts.folders));
  tell("interfaces", interfaces());
  tell("temperatures", temperatures());
  return out;
}

}  // namespace drystone

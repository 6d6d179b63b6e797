#pragma once

#include <boost/json/fwd.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace drystone {

// What a node says of itself for people, beside what is planned with: stands as `machine` in the
// value of figures/NODE (docs/formats/placement.md). What the system does not tell is absent.
struct MachineFacts {
  std::string version, cpu, isa;  // empty: not known
  int threads = 0;
  std::vector<std::filesystem::path> folders;  // whose disks are told
};

// The processor's name; empty where the system does not tell.
std::string cpu_name();

// With devices, disks, interfaces and temperatures, read now.
boost::json::object describe_machine(const MachineFacts& facts);

}  // namespace drystone

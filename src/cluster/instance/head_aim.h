#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/instance/instance_core.h"

namespace drystone {

// Where the head of an instance is, as this node sees it now.
struct HeadAim {
  std::uint64_t epoch = 0;
  std::string keeper;  // who made that epoch: two may have made one of the same number
  std::string node;    // "": there is none now, because of `why`
  std::string why;
  // And none will come: out_of_memory (it fits nowhere) or unavailable (loading it was given up).
  std::optional<Errc> refused;
  std::uint32_t vocab = 0, width = 0;  // of the model
  bool operator==(const HeadAim&) const = default;
};

// By the state of an instance; without the width.
HeadAim aim_of(const InstanceStatus& status);

// It was refused or given up: who waits for it waits in vain.
bool has_no_future(const InstanceStatus& status);

}  // namespace drystone

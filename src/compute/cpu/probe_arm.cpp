#include <sys/auxv.h>

#include "compute/cpu/probe.h"

namespace drystone {

bool request_amx() { return false; }
bool can_emulate_amx() { return false; }

std::vector<Isa> probe_isas() {
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  std::vector<Isa> isas = {Isa::portable};
  if (getauxval(AT_HWCAP) & kDotProduct) isas.push_back(Isa::neon);
  return isas;
}

}  // namespace drystone

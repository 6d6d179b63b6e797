#include <sys/auxv.h>

#include "compute/cpu/probe.h"

namespace drystone {

bool request_amx() { return false; }
bool can_emulate_amx() { return false; }
bool foresees_streams() { return false; }

std::vector<Isa> probe_isas() {
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kMatrix8 = 1ul << 13;     // HWCAP2_I8MM
  std::vector<Isa> isas = {Isa::portable};
  if (getauxval(AT_HWCAP) & kDotProduct) isas.push_back(Isa::neon);
  if (isas.size() == 2 && (getauxval(AT_HWCAP2) & kMatrix8)) isas.push_back(Isa::neon_i8mm);
  return isas;
}

}  // namespace drystone

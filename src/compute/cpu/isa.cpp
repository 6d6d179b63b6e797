#include "compute/cpu/isa.h"

#include <fmt/format.h>

#include <vector>

#include "compute/cpu/probe.h"

namespace drystone {

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_fp16:
      return "avx512_fp16";
    case Isa::amx:
      return "amx";
    case Isa::neon:
      return "neon";
    case Isa::neon_i8mm:
      return "neon_i8mm";
    case Isa::amx_emulated:
      return "amx_emulated";
  }
  return "unknown";
}

std::span<const Isa> available_isas() {
  static const std::vector<Isa> kAvailable =
      probe_isas();  // Facts of the machine, the same for everyone.
  return kAvailable;
}

std::span<const Isa> testable_isas() {
  static const std::vector<Isa> kTestable = [] {
    std::vector<Isa> isas(available_isas().begin(), available_isas().end());
    if (can_emulate_amx()) isas.push_back(Isa::amx_emulated);
    return isas;
  }();
  return kTestable;
}

Result<Isa> choose_isa(std::string_view forced) {
  const auto available = available_isas();
  if (forced.empty()) return available.back();
  if (forced == to_string(Isa::amx_emulated) && can_emulate_amx()) return Isa::amx_emulated;
  std::string names;
  for (const Isa isa : available) {
    if (to_string(isa) == forced) return isa;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(isa));
  }
  return Error(Errc::invalid_argument,
               fmt::format("cannot use the instruction set '{}': this machine and build have {}. "
                           "Unset DRYSTONE_ISA to "
                           "let the program choose the best of them",
                           forced, names));
}

}  // namespace drystone

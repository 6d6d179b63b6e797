#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compute/cpu/probe.h"

namespace drystone {
namespace {

struct Cpuid {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Cpuid(unsigned leaf, unsigned sub) { __cpuid_count(leaf, sub, a, b, c, d); }
};

constexpr bool bit(unsigned word, int index) { return (word >> index & 1) != 0; }

}  // namespace

bool request_amx() {
  // Linux gives the 8 KiB of tile state only to processes that ask: arch_prctl(ARCH_REQ_XCOMP_PERM,
  // XFEATURE_XTILEDATA).
  constexpr long kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

bool foresees_streams() {
  __builtin_cpu_init();
  return __builtin_cpu_is("amd");
}

bool can_emulate_amx() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("avx512vl");
}

std::vector<Isa> probe_isas() {
  std::vector<Isa> isas = {Isa::portable};
  // __builtin_cpu_supports also checks that the operating system saves the registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      bit(Cpuid(1, 0).c, 29))  // 29: F16C
    isas.push_back(Isa::avx2);
  if (isas.size() == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni"))
    isas.push_back(Isa::avx512);
  const bool avx512 = isas.back() == Isa::avx512;
  const unsigned seven_d = Cpuid(7, 0).d;
  if (avx512 && bit(seven_d, 23)) isas.push_back(Isa::avx512_fp16);
  const bool amx = bit(seven_d, 22) && bit(seven_d, 24);  // AMX-BF16, AMX-TILE
  if (avx512 && amx && can_emulate_amx() && request_amx()) isas.push_back(Isa::amx);
  return isas;
}

}  // namespace drystone

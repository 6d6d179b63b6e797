#pragma once

#include <vector>

#include "compute/cpu/isa.h"

namespace drystone {

// The instruction sets of this machine that the build has kernels for, portable first, the best
// last. One implementation per processor family (probe_x86.cpp, probe_arm.cpp), picked by CMake.
std::vector<Isa> probe_isas();

// Whether this processor fetches what is read forwards fast enough by itself, so that programs
// which ask for it get less: AMD's, as measured on a Zen 4.
bool foresees_streams();

// Asks the operating system for the AMX tile registers of this process. False where there are none.
bool request_amx();

// Whether amx_emulated can run: it needs AVX-512 with BF16.
bool can_emulate_amx();

}  // namespace drystone

#include "app/load/demo_model.h"

#ifdef DRYSTONE_DEMO_MODEL  // the path of the file, when the build has one

#ifdef __APPLE__
#define SECTION ".const_data"
#define SYMBOL(name) "_" name
#else
#define SECTION ".section .rodata"
#define SYMBOL(name) name
#endif

// The assembler puts the file into the program as it stands; 64 is the alignment that tensors want.
__asm__(SECTION "\n"
        ".balign 64\n"
        ".globl " SYMBOL("drystone_demo_model_begin") "\n"
        SYMBOL("drystone_demo_model_begin") ":\n"
        ".incbin \"" DRYSTONE_DEMO_MODEL "\"\n"
        ".globl " SYMBOL("drystone_demo_model_end") "\n"
        SYMBOL("drystone_demo_model_end") ":\n"
        ".byte 0\n"
        ".text\n");

extern "C" const std::byte drystone_demo_model_begin[], drystone_demo_model_end[];

namespace drystone {
std::span<const std::byte> demo_model() {
  return {drystone_demo_model_begin, drystone_demo_model_end};
}
}  // namespace drystone

#else

namespace drystone {
std::span<const std::byte> demo_model() { return {}; }
}  // namespace drystone

#endif

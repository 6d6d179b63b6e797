#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace drystone {

void check_failed(const char* condition, const char* file, int line, const std::string& values) {
  std::fprintf(stderr, "%s:%d: check failed: %s%s%s\n", file, line, condition,
               values.empty() ? "" : ":", values.c_str());
  std::abort();
}

}  // namespace drystone

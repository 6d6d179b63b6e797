#include <algorithm>
#include <thread>

#include "app/load/processors.h"

namespace drystone {

int usable_processors() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace drystone

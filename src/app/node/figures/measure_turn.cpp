#include "app/node/figures/measure_turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <thread>

namespace drystone {

MeasureTurn::MeasureTurn(const Clock& clock, Clock::Nanoseconds within,
                         const std::atomic<bool>& stop) {
#ifdef __linux__
  // The program's own file: all of its processes have it, and none needs to make anything.
  descriptor_ = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const auto until = clock.monotonic() + within;
  while (descriptor_ >= 0 && !(ours_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) && !stop &&
         clock.monotonic() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
#else
  static_cast<void>(clock), static_cast<void>(within), static_cast<void>(stop);
#endif
}

MeasureTurn::~MeasureTurn() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace drystone

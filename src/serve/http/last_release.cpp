#include "serve/http/last_release.h"

#include <utility>

namespace drystone {

LastRelease::LastRelease() : thread_([state = state_] { state->run(); }) {}

LastRelease::~LastRelease() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->changed.notify_all();
  thread_.join();
}

void LastRelease::State::take(std::shared_ptr<void> thing) {
  const std::lock_guard lock(mutex);
  if (ended) return;  // nobody is left to do it: it goes here, once the lock does
  waiting.push_back(std::move(thing));
  changed.notify_all();
}

void LastRelease::State::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return ended || !waiting.empty(); });
    if (waiting.empty()) return;
    auto gone = std::exchange(waiting, {});
    lock.unlock();
    gone.clear();
    lock.lock();
  }
}

}  // namespace drystone

#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace drystone {

// Lets the last reference to a thing go on a thread of its own, whoever held it: destroying a model
// waits for its thread, which may be the one that lets go, and frees gigabytes. Thread-safe.
class LastRelease {
 public:
  LastRelease();
  ~LastRelease();  // waits for the destruction of what was let go

  // The same thing; when the last copy of the result is gone, so is this one.
  template <typename Thing>
  std::shared_ptr<Thing> elsewhere(std::shared_ptr<Thing> thing) {
    Thing* const raw = thing.get();
    return std::shared_ptr<Thing>(raw, [state = state_, thing = std::move(thing)](Thing*) mutable {
      state->take(std::move(thing));
    });
  }

 private:
  struct State {
    void take(std::shared_ptr<void> thing);
    void run();
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::shared_ptr<void>> waiting;
    bool ended = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;
};

}  // namespace drystone

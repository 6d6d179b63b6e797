#pragma once

#include <thread>

#include "engine/batcher.h"

namespace drystone {

// Runs a batcher's steps for as long as it lives; then ends what is left, as cancelled.
class BatchThread {
 public:
  explicit BatchThread(Batcher& batcher)  // borrows it
      : batcher_(batcher), thread_([&batcher](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            batcher.wait(stop);
            batcher.step();
          }
        }) {}
  ~BatchThread() {
    thread_.request_stop();
    thread_.join();
    batcher_.cancel_all();
    while (batcher_.step()) {
    }
  }
  BatchThread(const BatchThread&) = delete;
  BatchThread& operator=(const BatchThread&) = delete;

 private:
  Batcher& batcher_;
  std::jthread thread_;
};

}  // namespace drystone

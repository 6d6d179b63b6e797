#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "app/node/models/model_catalog.h"
#include "cluster/plan/placement.h"
#include "serve/peer/split/loaded_part.h"

namespace drystone {

// A part of an instance on this node, from the placement that asks for it until all that it held is
// free again, or with the next part of the instance. Flags and waits alone: PartRunner does the
// work, on `thread`.
class NodePart {
 public:
  NodePart(const Placement& placed, Result<ModelSource> from, std::shared_ptr<NodePart> before)
      : placement(placed),
        source(std::move(from)),
        epoch(placed.epoch),
        previous(std::move(before)) {}

  const Placement placement;
  const Result<ModelSource> source;
  // Under PartRunner's lock: a whole model goes on under the next epoch.
  Epoch epoch;
  bool serves_whole = false;
  bool ended = false;  // it has no memory any more, or has handed it on

  // On `thread`; with the next part's once this one is done.
  std::shared_ptr<NodePart> previous;    // of the same instance: ends first
  std::unique_ptr<LoadedPart> loaded;    // of several parts; a whole model's engine has its own
  bool kept = false, was_ready = false;  // was loaded before; and has begun to serve
  std::thread thread;

  std::atomic<bool> stop = false;        // asked to end
  std::atomic<bool> handed_on = false;   // what is loaded goes to the next part, with its memory
  std::atomic<bool> head_freed = false;  // of a head: its engine is gone

  const std::string& instance() const { return placement.instance; }
  // Whether what it has in memory is what the other needs. Of the same instance.
  bool same_weights(const Placement& other, const Result<ModelSource>& from,
                    const std::string& self) const {
    return source && from && source->identity == from->identity &&
           same_in_memory(placement, other, self);
  }

  // What is loaded may be kept for a while.
  void ask_to_end() { set(stop); }
  void let_go() { set(stop, let_go_); }
  void hand_on() { set(handed_on, stop, let_go_); }
  void set_head_freed() { set(head_freed); }
  void set_done() { set(done_); }

  bool is_done() const { return done_; }
  void wait_stop() { wait(stop); }
  void wait_done() { wait(done_); }
  void wait_let_go(std::chrono::nanoseconds at_most) { wait(let_go_, at_most); }
  void wait_head_freed(std::chrono::nanoseconds at_most) { wait(head_freed, at_most); }

 private:
  template <typename... Flag>
  void set(Flag&... flags) {
    // Told under the lock: who waits may be the last to need this part.
    const std::lock_guard lock(mutex_);
    ((flags = true), ...);
    changed_.notify_all();
  }
  void wait(const std::atomic<bool>& flag) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return flag.load(); });
  }
  void wait(const std::atomic<bool>& flag, std::chrono::nanoseconds at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [&] { return flag.load(); });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> let_go_ = false;  // nothing of it is kept
  std::atomic<bool> done_ = false;    // all is free again, or handed on
};

}  // namespace drystone

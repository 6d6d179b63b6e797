#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

namespace drystone {

// Those who use something that may end: nobody enters any more once it is closed, and close() waits
// for those who are within. Thread-safe.
template <typename Visitor>
class VisitGate {
 public:
  // False: closed. Each true is followed by leave() of the same visitor.
  bool enter(Visitor* visitor) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    within_.insert(visitor);
    return true;
  }
  void leave(Visitor* visitor) {
    const std::lock_guard lock(mutex_);
    within_.erase(within_.find(visitor));
    changed_.notify_all();
  }
  // Asks each of those within to leave.
  template <typename Ask>
  void close(const Ask& ask) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    for (Visitor* visitor : within_) ask(*visitor);
    changed_.wait(lock, [&] { return within_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multiset<Visitor*> within_;
  bool closed_ = false;
};

}  // namespace drystone

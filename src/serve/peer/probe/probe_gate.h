#pragma once

#include <atomic>

namespace drystone {

// One measurement of a link at a time on this node, whoever began it: two would measure each other.
// Thread-safe.
class ProbeGate {
 public:
  class Pass {
   public:
    explicit Pass(ProbeGate& gate) : gate_(gate), held_(!gate.taken_.exchange(true)) {}
    ~Pass() {
      if (held_) gate_.taken_ = false;
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    explicit operator bool() const { return held_; }  // false: one runs already

   private:
    ProbeGate& gate_;
    const bool held_;
  };

 private:
  std::atomic<bool> taken_ = false;
};

}  // namespace drystone

#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "cluster/plan/placement.h"

namespace drystone {

// The memory of one node that instances have been promised. Loading reserves first, so that two
// placements at once can never have more together than there is. Not thread-safe.
class Ledger {
 public:
  struct Entry {
    Epoch epoch;
    Bytes bytes = 0;
  };

  // `capacity`: what all reservations together may have. `node`: its name, for messages.
  Ledger(std::string node, Bytes capacity);

  // One reservation per instance: a higher epoch takes the place of a lower one, whose bytes count
  // as given back. The same epoch again changes the bytes.
  // Errors: out_of_memory  does not fit; what was reserved stays
  //         unavailable    a higher epoch of the instance has the reservation
  Result<void> reserve(const std::string& instance, const Epoch& epoch, Bytes bytes);
  // The same memory, or less of it, under a higher epoch: what is held needs no room. False: it has
  // not so much, or for a higher epoch.
  bool keep(const std::string& instance, const Epoch& epoch, Bytes bytes);
  // Of that epoch or a lower one; anything else is left alone. True if something was given back.
  bool release(const std::string& instance, const Epoch& epoch);

  // The capacity follows what the system says; it may fall below what is reserved, then nothing
  // more is.
  void set_capacity(Bytes capacity) { capacity_ = capacity; }
  Bytes capacity() const { return capacity_; }
  Bytes reserved() const;
  Bytes free() const;
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::string node_;
  Bytes capacity_;
  std::map<std::string, Entry> entries_;  // by instance
};

}  // namespace drystone

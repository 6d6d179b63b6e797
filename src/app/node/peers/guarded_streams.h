#pragma once

#include <memory>

#include "net/data_stream.h"

namespace drystone {

// Knows all data connections of a node that still live, so that those of a member that was put out
// can be closed at once. Thread-safe.
class GuardedStreams {
 public:
  GuardedStreams();

  // The same stream, known here until it goes. Outlives this object if it must.
  std::unique_ptr<DataStream> guard(std::unique_ptr<DataStream> stream);
  void close_all_of(const PublicKey& key);
  std::size_t size() const;

 private:
  struct Shared;
  class Guarded;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drystone

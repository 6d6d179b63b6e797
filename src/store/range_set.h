#pragma once

#include <map>
#include <vector>

#include "base/units.h"

namespace drystone {

// Bytes [begin, end) of a file.
struct ByteRange {
  Bytes begin = 0, end = 0;
  Bytes size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

// A set of bytes, kept as ranges that neither touch nor overlap. A value.
class RangeSet {
 public:
  void add(ByteRange range);  // an empty range adds nothing
  bool contains(ByteRange range) const;
  // What of `range` is not in the set, rising.
  std::vector<ByteRange> missing(ByteRange range) const;

  std::vector<ByteRange> ranges() const;  // rising
  std::size_t count() const { return ends_.size(); }
  Bytes size() const;  // of all ranges
  bool operator==(const RangeSet&) const = default;

 private:
  std::map<Bytes, Bytes> ends_;  // by their begins
};

}  // namespace drystone

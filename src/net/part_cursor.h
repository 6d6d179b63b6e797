#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "net/data_stream.h"

namespace drystone {

// Walks through the parts of a message. Borrows them for its life.
class PartCursor {
 public:
  explicit PartCursor(DataStream::Parts parts) : parts_(parts) { skip_empty(); }

  bool done() const { return part_ == parts_.size(); }

  // What is left of the part that it stands in; the parts behind that one.
  std::span<const std::byte> piece() const { return parts_[part_].subspan(offset_); }
  DataStream::Parts parts_behind() const { return parts_.subspan(part_ + 1); }

  void advance(std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t here = std::min(bytes, parts_[part_].size() - offset_);
      offset_ += here;
      bytes -= here;
      skip_empty();
    }
  }

  // The next up to `bytes_max` bytes in one piece, and steps over them: in place where that many
  // lie together, otherwise copied into `staging`.
  std::span<const std::byte> take(std::size_t bytes_max, std::vector<std::byte>& staging) {
    const std::span<const std::byte> first = piece();
    if (first.size() >= bytes_max || part_ + 1 == parts_.size()) {
      const auto taken = first.first(std::min(first.size(), bytes_max));
      advance(taken.size());
      return taken;
    }
    staging.clear();
    while (!done() && staging.size() < bytes_max) {
      const auto here = piece().first(std::min(piece().size(), bytes_max - staging.size()));
      staging.insert(staging.end(), here.begin(), here.end());
      advance(here.size());
    }
    return staging;
  }

 private:
  void skip_empty() {
    while (part_ < parts_.size() && offset_ == parts_[part_].size()) {
      ++part_;
      offset_ = 0;
    }
  }

  DataStream::Parts parts_;
  std::size_t part_ = 0, offset_ = 0;  // the next byte
};

}  // namespace drystone

#include "engine/fair_queue.h"

#include <algorithm>

namespace drystone {

bool FairQueue::push(const std::string& client, std::uint64_t id) {
  if (size_ >= size_max_) return false;
  auto line =
      std::find_if(lines_.begin(), lines_.end(), [&](const Line& l) { return l.client == client; });
  if (line == lines_.end()) line = lines_.insert(lines_.end(), Line{client, {}});
  line->ids.push_back(id);
  ++size_;
  return true;
}

std::optional<std::uint64_t> FairQueue::front() const {
  return lines_.empty() ? std::nullopt : std::optional(lines_.front().ids.front());
}

std::optional<std::uint64_t> FairQueue::pop() {
  if (lines_.empty()) return std::nullopt;
  Line line = std::move(lines_.front());
  lines_.pop_front();
  const std::uint64_t id = line.ids.front();
  line.ids.pop_front();
  if (!line.ids.empty()) lines_.push_back(std::move(line));
  --size_;
  return id;
}

bool FairQueue::erase(std::uint64_t id) {
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    const auto found = std::find(line->ids.begin(), line->ids.end(), id);
    if (found == line->ids.end()) continue;
    line->ids.erase(found);
    if (line->ids.empty()) lines_.erase(line);
    --size_;
    return true;
  }
  return false;
}

std::optional<std::size_t> FairQueue::position(std::uint64_t id) const {
  for (std::size_t at = 0; at < lines_.size(); ++at) {
    const auto& ids = lines_[at].ids;
    const auto found = std::find(ids.begin(), ids.end(), id);
    if (found == ids.end()) continue;
    const std::size_t depth = static_cast<std::size_t>(found - ids.begin());
    std::size_t before = depth;
    for (std::size_t other = 0; other < lines_.size(); ++other)
      if (other != at) before += std::min(lines_[other].ids.size(), depth + (other < at ? 1 : 0));
    return before;
  }
  return std::nullopt;
}

}  // namespace drystone

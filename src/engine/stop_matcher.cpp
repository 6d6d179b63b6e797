#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace drystone {
namespace {

std::vector<std::uint32_t> make_fallback(std::string_view text) {
  std::vector<std::uint32_t> fallback(text.size() + 1, 0);
  for (std::size_t i = 1; i < text.size(); ++i) {
    std::uint32_t prefix = fallback[i];
    while (prefix > 0 && text[prefix] != text[i]) prefix = fallback[prefix];
    fallback[i + 1] = text[prefix] == text[i] ? prefix + 1 : 0;
  }
  return fallback;
}

}  // namespace

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& text : stops) {
    if (!text.empty()) stops_.push_back({.text = text, .fallback = make_fallback(text)});
  }
}

void StopMatcher::advance(Stop& stop, char byte) {
  while (stop.progress > 0 && stop.text[stop.progress] != byte)
    stop.progress = stop.fallback[stop.progress];
  if (stop.text[stop.progress] == byte) ++stop.progress;
}

std::string StopMatcher::push(std::string_view text) {
  if (matched_) return "";
  for (const char byte : text) {
    held_.push_back(byte);
    const Stop* longest = nullptr;
    for (Stop& stop : stops_) {
      advance(stop, byte);
      const bool complete = stop.progress == stop.text.size();
      if (complete && (longest == nullptr || stop.text.size() > longest->text.size()))
        longest = &stop;
    }
    if (longest == nullptr) continue;
    matched_ = true;
    stop_ = longest->text;
    std::string before = release(stop_.size());
    held_.clear();
    return before;
  }
  std::size_t keep = 0;
  for (const Stop& stop : stops_) keep = std::max<std::size_t>(keep, stop.progress);
  return release(keep);
}

// All of held_ but for its last `keep` bytes, and never half a character (a stop string may begin
// within one).
std::string StopMatcher::release(std::size_t keep) {
  std::size_t cut = held_.size() - keep;
  while (cut > 0 && cut < held_.size() && (held_[cut] & 0xC0) == 0x80) --cut;
  std::string free = held_.substr(0, cut);
  held_.erase(0, cut);
  return free;
}

std::string StopMatcher::flush() { return matched_ ? "" : std::exchange(held_, {}); }

}  // namespace drystone

#include "cluster/state/state_sync.h"

#include <algorithm>
#include <utility>

namespace drystone::cluster {

void StateSync::push(std::span<const NodeId> to, const std::string& key) {
  for (const NodeId& node : to) peers_[node].given.insert(key);
}

void StateSync::forget(const NodeId& node) { peers_.erase(node); }

bool StateSync::in_step(const NodeId& node) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.in_step;
}

void StateSync::answer(const NodeId& from, const StatePart& part, Time now) {
  Peer& peer = peers_[from];
  if (part.buckets) list(peer, *part.buckets);
  if (part.listing) compare(peer, *part.listing);
  for (const std::string& key : part.wanted)
    if (map_.entry(key)) peer.given.insert(key);

  const std::uint64_t ours = map_.digest();
  peer.in_step = part.digest == ours;
  if (peer.in_step) {
    peer.interval = kStateExchangeInterval;
  } else if (const bool changed = ours != peer.compared_digest;
             now - peer.compared_at >= (changed ? kStateExchangeInterval : peer.interval)) {
    // The same difference again and again is one that exchange does not mend (a limit, members that
    // differ): less often.
    peer.interval =
        changed ? kStateExchangeInterval : std::min(peer.interval * 2, kStateExchangeIntervalMax);
    peer.compared_at = now;
    peer.compared_digest = ours;
    peer.send_buckets = true;
  }
}

void StateSync::list(Peer& peer, const StateMap::Buckets& theirs) {
  std::array<bool, kMapBuckets> differ{};
  StatePart::Listing listing;
  for (std::size_t i = 0; i < kMapBuckets; ++i) {
    differ[i] = map_.buckets()[i] != theirs[i];
    if (differ[i]) listing.buckets.push_back(static_cast<std::uint8_t>(i));
  }
  if (listing.buckets.empty()) return;
  listing.after = std::exchange(peer.listed_until, {});
  for (const MapEntry* entry : map_.entries_after(listing.after, differ, kListedMax))
    listing.keys.push_back({entry->key, entry->version, StateMap::hash_of(*entry)});
  if (listing.keys.size() == kListedMax)
    listing.until = peer.listed_until = listing.keys.back().key;
  peer.listing = std::move(listing);
}

void StateSync::compare(Peer& peer, const StatePart::Listing& listing) {
  std::array<bool, kMapBuckets> listed{};
  for (const std::uint8_t bucket : listing.buckets)
    if (bucket < kMapBuckets) listed[bucket] = true;
  auto theirs = listing.keys.begin();
  const auto want = [&](const StatePart::Listed& listed_key) {
    if (peer.wanted.size() < kWantedMax) peer.wanted.insert(listed_key.key);
  };
  for (const MapEntry* ours : map_.entries_after(listing.after, listed, kMapEntriesMax)) {
    if (listing.until && ours->key > *listing.until) break;
    while (theirs != listing.keys.end() && theirs->key < ours->key) want(*theirs++);
    if (theirs == listing.keys.end() || theirs->key != ours->key) {
      peer.given.insert(ours->key);
      continue;
    }
    if (theirs->hash != StateMap::hash_of(*ours)) {
      // Equal versions of different texts: both sides give theirs, and the greater one holds.
      if (ours->version >= theirs->version) peer.given.insert(ours->key);
      if (ours->version <= theirs->version) want(*theirs);
    }
    ++theirs;
  }
  while (theirs != listing.keys.end()) want(*theirs++);
}

std::vector<StateSync::Out> StateSync::take_outputs() {
  std::vector<Out> outputs;
  for (auto& [id, peer] : peers_) {
    Out out{.to = id, .part = {}};
    if (std::exchange(peer.send_buckets, false)) out.part.buckets = map_.buckets();
    out.part.listing = std::exchange(peer.listing, {});
    for (const std::string& key : std::exchange(peer.wanted, {})) out.part.wanted.push_back(key);
    std::size_t bytes = 0;
    for (const std::string& key : std::exchange(peer.given, {})) {
      const MapEntry* entry = map_.entry(key);
      if (!entry || bytes > kGivenBytesMax) continue;  // the next comparison finds what is left out
      bytes += entry->key.size() + (entry->value ? entry->value->size() : 0);
      out.part.entries.push_back(*entry);
    }
    if (out.part != StatePart{}) outputs.push_back(std::move(out));
  }
  return outputs;
}

}  // namespace drystone::cluster

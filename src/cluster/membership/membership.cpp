#include "cluster/membership/membership.h"

#include <algorithm>
#include <utility>

namespace drystone::cluster {

Membership::Membership(NodeId self, std::uint64_t start, std::uint64_t seed)
    : table_(std::move(self), start), rng_(seed) {}

void Membership::set_members(const std::set<NodeId>& members, Time now) {
  table_.set_members(members, now);
  const auto is_gone = [&](const NodeId& id) { return !table_.find(id); };
  std::erase_if(watches_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(outputs_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(probes_, [&](const auto& entry) { return is_gone(entry.second.target); });
  for (const auto& [id, node] : table_.others()) watches_.try_emplace(id);
}

NodeState Membership::state(const NodeId& id) const {
  if (id == self()) return own_record().state;
  const NodeTable::Node* node = table_.find(id);
  return node ? node->record.state : NodeState::dead;
}

std::uint64_t Membership::start_of(const NodeId& id) const {
  if (id == self()) return own_record().start;
  const NodeTable::Node* node = table_.find(id);
  return node != nullptr && node->heard ? node->record.start : 0;
}

std::vector<NodeId> Membership::alive() const {
  std::vector<NodeId> alive;
  for (const auto& [id, node] : table_.others())
    if (table_.is_alive(node)) alive.push_back(id);
  if (own_record().state != NodeState::left)
    alive.insert(std::ranges::lower_bound(alive, self()), self());
  return alive;
}

std::optional<Time> Membership::round_trip(const NodeId& id) const {
  const auto found = watches_.find(id);
  return found == watches_.end() ? std::nullopt : found->second.round_trip;
}

std::vector<NodeId> Membership::choose_alive(std::size_t count) {
  std::vector<NodeId> chosen;
  for (const auto& [id, node] : table_.others())
    if (table_.is_alive(node)) chosen.push_back(id);
  for (std::size_t i = 0; i < std::min(count, chosen.size()); ++i)
    std::swap(chosen[i], chosen[i + rng_.below(chosen.size() - i)]);
  if (chosen.size() > count) chosen.resize(count);
  return chosen;
}

void Membership::tick(Time now) {
  if (own_record().state == NodeState::left) return;
  const Time pause = ticked_at_ ? now - *ticked_at_ : Time(0);
  if (pause > kOwnPause) {
    table_.forgive(pause - kTickInterval, now);
    for (auto& [id, watch] : watches_)
      if (watch.since) watch.since = now;
  }
  if (!ticked_at_) table_.begin(now);
  ticked_at_ = now;
  probes_left_ = kProbesPerTickMax;
  for (auto* sent : {&probes_, &asks_})
    while (!sent->empty() && (now - sent->begin()->second.sent_at > kProbeForgotten ||
                              sent->size() > kProbesInFlightMax))
      sent->erase(sent->begin());

  choose_watched(now);
  judge(now);
  probe_alive(now);
  probe_dead(now);
  push_rumours();
  settled_ = settled_ || std::ranges::all_of(table_.others(), [&](const auto& entry) {
               return entry.second.heard || now - entry.second.known_since >= kDeadAfter;
             });
}

void Membership::choose_watched(Time now) {
  std::vector<const NodeId*> ring;
  for (const auto& [id, node] : table_.others())
    if (node.heard && node.record.state == NodeState::alive) ring.push_back(&id);
  const auto next = std::ranges::find_if(ring, [&](const NodeId* id) { return *id > self(); });
  std::ranges::rotate(ring, next);
  if (ring.size() > kWatchedMax) ring.resize(kWatchedMax);
  std::set<NodeId> watched;
  for (const NodeId* id : ring) watched.insert(*id);
  for (auto& [id, watch] : watches_) {
    const NodeTable::Node& node = *table_.find(id);
    const bool suspect = node.heard && node.record.state == NodeState::suspect;
    if (!suspect && !watched.contains(id)) {
      watch.since.reset();
    } else if (!watch.since) {
      watch.since = now;
    }
  }
}

void Membership::judge(Time now) {
  std::vector<NodeRecord> verdicts;
  for (auto& [id, watch] : watches_) {
    if (!watch.since) continue;
    const NodeTable::Node& node = *table_.find(id);
    const Time silent_since = std::max(node.heard_at.value_or(*watch.since), *watch.since);
    NodeRecord verdict = node.record;
    if (verdict.state == NodeState::alive && now - silent_since >= kSuspectAfter) {
      verdict.state = NodeState::suspect;
      verdicts.push_back(verdict);
    } else if (verdict.state == NodeState::suspect) {
      const Time last = std::max(node.heard_at.value_or(*node.suspect_since), *node.suspect_since);
      const bool ours = now - silent_since >= kDeadAfter;  // watched since before it was suspect
      if (ours || now - last >= kSuspicionLasts) {
        verdict.state = NodeState::dead;
        verdicts.push_back(verdict);
      }
    }
  }
  for (const NodeRecord& verdict : verdicts) table_.learn(verdict, now);
}

void Membership::send_ping(const NodeId& target, Time now, const NodeId& asker,
                           std::uint64_t asked_number) {
  std::vector<std::uint64_t>& pings = part_to(target).pings;
  if (pings.size() == kProbesPerMessageMax) return;
  pings.push_back(next_number_);
  probes_.emplace(next_number_++, Probe{target, now, asker, asked_number});
}

void Membership::probe_alive(Time now) {
  std::vector<const NodeId*> unwatched;
  for (auto& [id, watch] : watches_) {
    const NodeTable::Node& node = *table_.find(id);
    if (!watch.since) {
      if (table_.is_alive(node)) unwatched.push_back(&id);
      continue;
    }
    if (now - watch.probed_at >= kProbeInterval && probes_left_ > 0) {
      --probes_left_;
      watch.probed_at = now;
      send_ping(id, now);
    }
    const Time silent_since = std::max(node.heard_at.value_or(*watch.since), *watch.since);
    if (now - silent_since >= kAskAfter && now - watch.asked_at >= kProbeInterval) {
      watch.asked_at = now;
      ask_others(id, now);
    }
  }
  if (!unwatched.empty() && now - random_probe_at_ >= kProbeInterval) {
    random_probe_at_ = now;
    send_ping(*unwatched[rng_.below(unwatched.size())], now);
  }
}

// First the one that reached it last time; then those who spoke to us just now, as they are most
// likely to hear us.
void Membership::ask_others(const NodeId& target, Time now) {
  std::vector<NodeId> fresh, other;
  const NodeId& last = watches_[target].relay;
  for (const auto& [id, node] : table_.others()) {
    if (id == target || !table_.is_alive(node)) continue;
    const bool is_fresh = node.direct_at && now - *node.direct_at < kFreshContact;
    (is_fresh ? fresh : other).push_back(id);
  }
  std::vector<NodeId>& relays = fresh.empty() ? other : fresh;
  for (std::size_t i = 0; i < std::min(kRelaysMax, relays.size()); ++i) {
    const auto best = std::ranges::find(relays, last);
    const bool take_last = i == 0 && best != relays.end();
    std::swap(relays[i], take_last ? *best : relays[i + rng_.below(relays.size() - i)]);
    std::vector<MembershipPart::Ask>& asks = part_to(relays[i]).asks;
    if (asks.size() == kProbesPerMessageMax) continue;
    asks.push_back({target, next_number_});
    asks_.emplace(next_number_++, Probe{.target = target, .sent_at = now, .asker = relays[i]});
  }
}

// Nodes of which nothing was heard yet as often as the living, for their first seconds; the dead
// more rarely and few at a time, those that waited longest first. Who left comes back by itself.
void Membership::probe_dead(Time now) {
  std::vector<std::pair<Time, const NodeId*>> due;
  for (const auto& [id, watch] : watches_) {
    const NodeTable::Node& node = *table_.find(id);
    if (node.heard && node.record.state != NodeState::dead) continue;
    const bool is_new = !node.heard && now - node.known_since < kDeadAfter;
    if (now - watch.probed_at >= (is_new ? kProbeInterval : kDeadProbeInterval))
      due.emplace_back(is_new ? Time::min() : watch.probed_at, &id);
  }
  std::ranges::sort(due);
  std::size_t rare = 0;
  for (const auto& [since, id] : due) {
    if (probes_left_ == 0 || (since != Time::min() && rare++ == kDeadProbesPerTickMax)) return;
    --probes_left_;
    watches_[*id].probed_at = now;
    send_ping(*id, now);
  }
}

void Membership::push_rumours() {
  const std::vector<NodeRecord> rumours = table_.take_rumours(kRumoursPerMessageMax);
  if (rumours.empty()) return;
  for (const NodeId& id : choose_alive(kFanout)) {
    std::vector<NodeRecord>& told = part_to(id).rumours;
    for (const NodeRecord& rumour : rumours)
      if (told.size() < kRumoursPerMessageMax) told.push_back(rumour);
  }
}

void Membership::exchange_views(const NodeId& with, Time now) {
  Watch& watch = watches_[with];
  if (now - watch.exchanged_at < kViewExchangeInterval) return;
  watch.exchanged_at = now;
  const std::vector<NodeRecord> records = table_.records();
  std::vector<NodeRecord>& told = part_to(with).rumours;
  for (std::size_t i = 0; i < records.size() && told.size() < kRumoursPerMessageMax; ++i)
    told.push_back(records[watch.exchanged++ % records.size()]);
}

void Membership::receive(const NodeId& from, const MembershipPart& part, Time now) {
  const NodeTable::Node* sender = table_.find(from);
  if (!sender || own_record().state == NodeState::left) return;
  table_.learn({.id = from,
                .start = part.start,
                .incarnation = part.incarnation,
                .state = part.leaving ? NodeState::left : NodeState::alive},
               now);
  for (const NodeRecord& rumour : part.rumours) table_.learn(rumour, now);

  const NodeRecord& record = sender->record;
  const bool is_last_life = part.start >= record.start;
  watches_[from].correct = !is_last_life || part.incarnation < record.incarnation ||
                           (record.state != NodeState::alive && !part.leaving);
  if (watches_[from].correct) part_to(from);  // tells it, see take_outputs
  if (!is_last_life) return;
  table_.heard_from(from, /*direct=*/true, now);
  receive_answers(from, part, now);

  for (const std::uint64_t number : part.pings)
    if (part_to(from).acks.size() < kProbesPerMessageMax) part_to(from).acks.push_back(number);
  for (const MembershipPart::Ask& ask : part.asks)
    if (table_.find(ask.target) && ask.target != from) send_ping(ask.target, now, from, ask.number);
  if (part.view != table_.digest() && !part.leaving) exchange_views(from, now);
}

void Membership::receive_answers(const NodeId& from, const MembershipPart& part, Time now) {
  for (const std::uint64_t number : part.acks) {
    const auto found = probes_.find(number);
    if (found == probes_.end() || found->second.target != from) continue;
    const Probe probe = std::move(found->second);
    probes_.erase(found);
    watches_[from].round_trip = now - probe.sent_at;
    if (probe.asker.empty() || !table_.find(probe.asker)) continue;
    MembershipPart& out = part_to(probe.asker);
    if (out.vouches.size() < kProbesPerMessageMax)
      out.vouches.push_back({from, probe.asked_number});
    if (out.rumours.size() < kRumoursPerMessageMax)
      out.rumours.push_back(table_.find(from)->record);
  }
  for (const MembershipPart::Ask& vouch : part.vouches) {
    const auto found = asks_.find(vouch.number);
    if (found == asks_.end() || found->second.target != vouch.target || found->second.asker != from)
      continue;
    asks_.erase(found);
    if (!table_.find(vouch.target)) continue;  // no member any more
    watches_[vouch.target].relay = from;
    table_.heard_from(vouch.target, /*direct=*/false, now);
  }
}

void Membership::leave() {
  if (own_record().state == NodeState::left) return;
  table_.stop();
  outputs_.clear();
  for (const auto& [id, node] : table_.others())
    if (table_.is_alive(node)) part_to(id).leaving = true;
}

MembershipPart Membership::header() const {
  return {.start = own_record().start,
          .incarnation = own_record().incarnation,
          .leaving = own_record().state == NodeState::left,
          .view = table_.digest()};
}

std::vector<Membership::Out> Membership::take_outputs() {
  std::vector<Out> outputs;
  for (auto& [id, part] : std::exchange(outputs_, {})) {
    const NodeTable::Node* node = table_.find(id);
    if (!node) continue;
    Watch& watch = watches_[id];
    // What is said of it, it must hear itself: only it can contradict.
    if (node->heard && (node->record.state != NodeState::alive || watch.correct))
      part.rumours.insert(part.rumours.begin(), node->record);
    if (part.rumours.size() > kRumoursPerMessageMax) part.rumours.pop_back();
    watch.correct = false;
    MembershipPart whole = header();
    whole.pings = std::move(part.pings);
    whole.acks = std::move(part.acks);
    whole.asks = std::move(part.asks);
    whole.vouches = std::move(part.vouches);
    whole.rumours = std::move(part.rumours);
    outputs.push_back({id, std::move(whole)});
  }
  return outputs;
}

}  // namespace drystone::cluster

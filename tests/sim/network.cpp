#include "network.h"

#include <algorithm>

namespace drystone::sim {

std::size_t Network::add_machine() {
  machines_.emplace_back();
  return machines_.size() - 1;
}

void Network::start(std::size_t machine, SimNode& node) {
  Machine& started = machines_[machine];
  started.node = &node;
  started.frozen = false;
  started.held.clear();
  const std::uint64_t life = ++started.life;
  at(now_ + Time(rng_.below(kTickEvery.count())), [this, machine, life] { tick(machine, life); });
}

void Network::crash(std::size_t machine) {
  Machine& crashed = machines_[machine];
  crashed.node = nullptr;
  crashed.held.clear();
  ++crashed.life;
}

void Network::freeze(std::size_t machine, bool frozen) {
  Machine& it = machines_[machine];
  if (it.frozen == frozen || !it.node) return;
  it.frozen = frozen;
  if (frozen) return;
  for (Packet& packet : std::exchange(it.held, {})) deliver(machine, it.life, std::move(packet));
  const std::uint64_t life = it.life;
  at(now_, [this, machine, life] { tick(machine, life); });
}

void Network::cut(std::size_t from, std::size_t to, bool is_cut) {
  if (is_cut) {
    cuts_.insert({from, to});
  } else {
    cuts_.erase({from, to});
  }
}

void Network::heal() {
  cuts_.clear();
  weather = {};
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    machines_[i].extra = {};
    freeze(i, false);
  }
}

void Network::at(Time time, std::function<void()> action) {
  events_.push({std::max(time, now_), order_++, std::move(action)});
}

void Network::run_until(Time time) {
  while (!events_.empty() && events_.top().at <= time) {
    Event event = std::move(const_cast<Event&>(events_.top()));  // it is popped at once
    events_.pop();
    now_ = event.at;
    event.action();
  }
  now_ = time;
}

void Network::tick(std::size_t machine, std::uint64_t life) {
  Machine& it = machines_[machine];
  if (it.life != life || it.frozen || !it.node) return;
  it.node->tick(now_);
  flush(machine);
  // A little late, as timers are.
  at(now_ + kTickEvery + Time(rng_.below(kTickEvery.count() / 10)),
     [this, machine, life] { tick(machine, life); });
}

void Network::flush(std::size_t machine) {
  if (!machines_[machine].node) return;
  for (Packet& packet : machines_[machine].node->take_outbox()) send(machine, std::move(packet));
}

void Network::report_broken(std::size_t from, std::size_t to, int channel) {
  const std::uint64_t life = machines_[from].life;
  at(now_ + kBreakNoticed, [this, from, to, channel, life] {
    if (machines_[from].life != life || !machines_[from].node) return;
    machines_[from].node->broken(to, channel, now_);
    flush(from);
  });
}

void Network::send(std::size_t from, Packet packet) {
  const std::size_t to = packet.peer;
  packet.peer = from;
  ++packets_sent_;
  packet_bytes_max_ = std::max(packet_bytes_max_, packet.text.size());
  if (cuts_.contains({from, to}) || !machines_[to].node) {
    if (packet.ordered) report_broken(from, to, packet.channel);
    return;
  }
  if (!packet.ordered && rng_.uniform_double() < weather.loss) return;
  const auto delay = [&] {
    const Time range = weather.delay_max - weather.delay_min;
    return weather.delay_min + machines_[from].extra + Time(rng_.below(range.count() + 1));
  };
  Time arrival = now_ + delay();
  if (packet.ordered) {
    Time& last = last_ordered_[{from, to, packet.channel}];
    last = arrival = std::max(arrival, last);
  } else if (rng_.uniform_double() < weather.doubled) {
    at(now_ + delay(),
       [this, to, life = machines_[to].life, copy = packet] { deliver(to, life, copy); });
  }
  at(arrival, [this, to, life = machines_[to].life, moved = std::move(packet)]() mutable {
    deliver(to, life, std::move(moved));
  });
}

void Network::deliver(std::size_t to, std::uint64_t life, Packet packet) {
  Machine& it = machines_[to];
  // A path that was cut swallows what was on it.
  if (it.life != life || !it.node || cuts_.contains({packet.peer, to})) {
    if (packet.ordered) report_broken(packet.peer, to, packet.channel);
    return;
  }
  if (it.frozen) {
    it.held.push_back(std::move(packet));
    return;
  }
  it.node->receive(packet, now_);
  flush(to);
}

}  // namespace drystone::sim

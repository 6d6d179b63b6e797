#include "invariants.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone::sim {

using cluster::ClusterCore;
using cluster::MapEntry;
using cluster::NodeId;
using cluster::NodeState;

namespace {

bool is_own(const std::string& key) { return !cluster::owner_of(key).empty(); }

bool is_of_core(const std::string& key) {
  return key == cluster::kDiscoveryKey || key.starts_with(cluster::kInvitationPrefix) ||
         key.starts_with(cluster::kInvitedPrefix);
}

}  // namespace

void Invariants::fail(std::string sentence) {
  if (failures_.size() < kFailuresMax)
    failures_.push_back(
        fmt::format("t={:.3f}s: {}", static_cast<double>(network_.now().count()) * 1e-9, sentence));
}

void Invariants::wrote(std::size_t by, const std::string& key) {
  const MapEntry* entry = machines_[by]->core()->state_map().entry(key);
  if (!entry || entry->version.node != machines_[by]->id()) return;
  written_[key].insert(entry->value.value_or(""));
  writes_of_[by][key] = entry->version;
}

void Invariants::restarted(std::size_t machine) {
  records_[machine].clear();
  versions_[machine].clear();
  removed_[machine].clear();
  const ClusterCore* core = machines_[machine]->core();
  std::erase_if(writes_of_[machine], [&](const auto& write) {
    const MapEntry* entry = core ? core->state_map().entry(write.first) : nullptr;
    return !entry || entry->version < write.second;
  });
}

void Invariants::lost_disk(std::size_t machine) {
  writes_of_[machine].clear();
  versions_[machine].clear();
  removed_[machine].clear();
}

std::vector<std::vector<Machine*>> Invariants::sides() const {
  std::vector<Machine*> running;
  for (const auto& machine : machines_)
    if (network_.is_up(machine->number()) && machine->core() &&
        machine->core()->members().is_member(machine->id()))
      running.push_back(machine.get());
  const auto lists = [](const Machine* one, const Machine* other) {
    return one->core()->members().is_member(other->id());
  };
  const auto put_out = [](const Machine* by, Machine* other) {
    return by->core()->members().is_removed(other->crypto().public_key());
  };
  std::erase_if(running, [&](Machine* machine) {
    return std::ranges::any_of(running, [&](const Machine* other) {
      return lists(machine, other) && put_out(other, machine);
    });
  });
  std::vector<std::vector<Machine*>> sides;
  for (Machine* machine : running) {
    const auto found = std::ranges::find_if(sides, [&](const auto& side) {
      return lists(side.front(), machine) && lists(machine, side.front());
    });
    if (found == sides.end())
      sides.push_back({machine});
    else
      found->push_back(machine);
  }
  return sides;
}

std::vector<Machine*> Invariants::side_of(std::size_t machine) const {
  for (std::vector<Machine*>& side : sides())
    if (std::ranges::find(side, machine, &Machine::number) != side.end()) return std::move(side);
  return {};
}

void Invariants::check() {
  for (const auto& machine : machines_) {
    for (const std::string& complaint : machine->complaints)
      fail(fmt::format("machine {} complains: {}", machine->number(), complaint));
    machine->complaints.clear();
    if (!machine->core() || !network_.is_up(machine->number())) continue;
    check_members(*machine);
    check_versions(*machine);
    check_records(*machine);
  }
  const auto elapsed =
      static_cast<std::uint64_t>((network_.now() - seconds(1000)) / seconds(1)) + 5;
  const std::uint64_t allowed = elapsed * machines_.size() * kSentPerSecondMax;
  if (network_.packets_sent() > allowed)
    fail(fmt::format("{} packets were sent, at most {}", network_.packets_sent(), allowed));
}

void Invariants::check_members(Machine& machine) {
  const ClusterCore& core = *machine.core();
  std::set<NodeId>& known = removed_[machine.number()];
  std::set<NodeId> now;
  for (const cluster::Removal& removal : core.members().removals())
    now.insert(node_id(removal.key, machine.crypto()));
  if (!std::ranges::includes(now, known))
    fail(fmt::format("machine {} has forgotten a removal", machine.number()));
  known = now;
  for (const NodeId& id : core.alive())
    if (now.contains(id) && core.members().is_member(core.self()))
      fail(fmt::format("machine {} takes {} for alive, which it knows as removed", machine.number(),
                       id));
  for (const auto& [id, member] : core.members().members())
    if (now.contains(id))
      fail(fmt::format("machine {} lists {}, which it knows as removed", machine.number(), id));
}

void Invariants::check_versions(Machine& machine) {
  const ClusterCore& core = *machine.core();
  std::map<std::string, MapEntry>& before = versions_[machine.number()];
  for (const MapEntry* entry : core.state_map().entries()) {
    const auto owner = cluster::owner_of(entry->key);
    if (!owner.empty()) {
      if (owner != entry->version.node)
        fail(fmt::format("machine {} has {} by {}", machine.number(), entry->key,
                         entry->version.node));
      if (!core.members().is_member(NodeId(owner)))
        fail(fmt::format("machine {} has {} of no member", machine.number(), entry->key));
      continue;
    }
    MapEntry& last = before[entry->key];
    if (entry->version < last.version)
      fail(fmt::format("machine {}: the version of {} went back from {} to {}", machine.number(),
                       entry->key, last.version.counter, entry->version.counter));
    last = *entry;
  }
  std::erase_if(before, [&](const auto& known) {
    if (core.state_map().entry(known.first)) return false;
    if (known.second.value)
      fail(fmt::format("machine {} has forgotten {}", machine.number(), known.first));
    return true;  // the tombstone was old
  });
}

void Invariants::check_records(Machine& machine) {
  auto& before = records_[machine.number()];
  std::erase_if(before, [&](const auto& known) {  // put out, and perhaps let in again
    return !machine.core()->membership().others().contains(known.first);
  });
  for (const auto& [id, node] : machine.core()->membership().others()) {
    const std::pair now(node.record.start, node.record.incarnation);
    if (now < before[id])
      fail(fmt::format("machine {}: the incarnation of {} went back", machine.number(), id));
    before[id] = now;
  }
}

void Invariants::check_healed() {
  const std::vector<std::vector<Machine*>> all = sides();
  for (const std::vector<Machine*>& side : all) check_side(side);
  // Nobody is put out by only one of two: a side that lists the other has not heard of it.
  for (const std::vector<Machine*>& side : all)
    for (const std::vector<Machine*>& other : all)
      if (&side != &other && side.front()->core()->members().is_member(other.front()->id()))
        fail(fmt::format("machine {} lists machine {}, which does not list it",
                         side.front()->number(), other.front()->number()));
}

void Invariants::check_side(const std::vector<Machine*>& running) {
  const ClusterCore& first = *running.front()->core();
  std::set<NodeId> ids;
  for (const Machine* machine : running) ids.insert(machine->id());

  for (const Machine* machine : running) {
    const ClusterCore& core = *machine->core();
    for (const auto& [id, member] : first.members().members()) {
      const NodeState state = core.state(id);
      if (ids.contains(id) != (state == NodeState::alive))
        fail(fmt::format("machine {} takes {} for {}, which {}", machine->number(), id,
                         to_string(state), ids.contains(id) ? "runs" : "does not run"));
    }
    if (core.members().digest() != first.members().digest())
      fail(fmt::format("machine {} has another member list than machine {}", machine->number(),
                       running.front()->number()));
    if (!core.settled()) fail(fmt::format("machine {} is not settled", machine->number()));
    if (core.state_map().digest() != first.state_map().digest())
      fail(fmt::format("machine {} has another shared state than machine {}", machine->number(),
                       running.front()->number()));
    const std::string life = cluster::own_key(machine->id(), "life");
    const std::string* said = first.get(life);
    if (!said || *said != *core.get(life))
      fail(fmt::format("what machine {} says of its life is not known to machine {}",
                       machine->number(), running.front()->number()));
  }
  for (const MapEntry* entry : first.state_map().entries())
    if (!is_own(entry->key) && !is_of_core(entry->key) &&
        !written_[entry->key].contains(entry->value.value_or("")))
      fail(fmt::format("nobody wrote {} to {}", entry->value.value_or("(erased)"), entry->key));
  for (const Machine* machine : running)
    for (const auto& [key, version] : writes_of_[machine->number()]) {
      const MapEntry* entry = first.state_map().entry(key);
      const bool erased = written_[key].contains("") && !entry;  // and its tombstone forgotten
      if (!erased && (!entry || entry->version < version))
        fail(fmt::format("machine {}'s write of {} is lost", machine->number(), key));
    }
}

}  // namespace drystone::sim

#include "engine/constraint/parses.h"

#include <algorithm>
#include <utility>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

Parses::Parses(const Automaton& automaton, Work& work)
    : automaton_(automaton), work_(work), node_of_rule_(automaton.rules.size(), kNone) {}

namespace {
constexpr std::size_t kCopiedAtOnce = 64;  // parts of a configuration, in the time of one item
}

void Parses::clear() {
  items_.clear();
  nodes_.clear();
  edges_.clear();
  levels_.clear();
}

void Parses::start() {
  clear();
  nodes_.push_back({automaton_.root, kNone, 0});
  add_edge(0, {kFinal, 0, 0, kNone});
  begin_level();
  // The root is a call from outside: its own node is older than the level.
  const Automaton::RuleInfo& root = automaton_.rules[automaton_.root];
  reach({root.start, 0, 0, 0});
  if (root.nullable) levels_.back().complete = true;
  end_level();
}

void Parses::load(const Configuration& configuration) {
  nodes_ = configuration.nodes;
  edges_ = configuration.edges;
  items_ = configuration.items;
  levels_.assign(1, {0, nodes_.size(), edges_.size(), configuration.complete, false});
  work_.follow((items_.size() + nodes_.size() + edges_.size()) / kCopiedAtOnce);
}

void Parses::load_alone(const Item& item) {
  clear();
  nodes_.push_back({kNone, kNone, 0});
  add_edge(0, {kUnknown, 0, 0, kNone});
  items_.push_back({item.state, item.must, item.may, 0});
  levels_.push_back({0, nodes_.size(), edges_.size(), false, false});
}

void Parses::load_callers(NodeIndex node) {
  items_.clear();
  levels_.clear();
  begin_level();
  finish(node);
  end_level();
}

void Parses::begin_level() {
  levels_.push_back({items_.size(), nodes_.size(), edges_.size(), false, false});
  reached_.clear();
}

bool Parses::push(std::uint8_t byte) {
  const Level before = levels_.back();
  const std::size_t end = items_.size();
  work_.look(end - before.items);
  begin_level();
  for (std::size_t i = before.items; i < end; ++i) {
    const Item item = items_[i];
    const std::int32_t to = automaton_.next(item.state, byte);
    if (to != kDead) reach({static_cast<State>(to), item.must, item.may, item.node});
  }
  return end_level();
}

bool Parses::push(const Item& item, std::uint8_t byte) {
  const std::int32_t to = automaton_.next(item.state, byte);
  if (to == kDead) return false;
  begin_level();
  reach({static_cast<State>(to), item.must, item.may, item.node});
  return end_level();
}

// Follows all calls and ends that need no byte, and keeps the items that read one.
bool Parses::end_level() {
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    const Item item = reached_[i];
    follow(item);
    if (automaton_.flags[item.state] & Automaton::reads_bytes) items_.push_back(item);
  }
  work_.follow(reached_.size() + 1);
  const Level& level = levels_.back();
  if (items_.size() > level.items || level.complete || level.unknown) return true;
  if (levels_.size() > 1) pop_to(levels_.size() - 1);
  return false;
}

void Parses::pop_to(std::size_t levels) {
  if (levels == levels_.size()) return;
  const Level& level = levels_[levels];
  items_.resize(level.items);
  nodes_.resize(level.nodes);
  edges_.resize(level.edges);
  levels_.resize(levels);
}

void Parses::pass_loop(Item& item) const {
  const Automaton::Loop& loop = automaton_.loops[automaton_.details[item.state]];
  if (loop.first) {
    item.must = loop.min;
    item.may = loop.max;
  } else {
    if (item.must > 0) --item.must;
    if (item.may != kUnbounded && item.may > 0) --item.may;
  }
  if (loop.min == 0) item.must = 0;
  item.state = item.may == 0 ? loop.done : item.must == 0 ? loop.may : loop.must;
}

void Parses::reach(Item item) {
  if (item.state >= kUnknown) {
    (item.state == kFinal ? levels_.back().complete : levels_.back().unknown) = true;
    return;
  }
  arrive(item);
  if (reached_.size() >= kItemsMax) {
    overflowed_ = true;
    return;
  }
  if (is_reached(item)) return;
  reached_.push_back(item);
}

bool Parses::is_reached(const Item& item) {
  constexpr std::size_t kSmall = 8;
  if (reached_.size() < kSmall)
    return std::find(reached_.begin(), reached_.end(), item) != reached_.end();
  if (reached_.size() == kSmall) {  // from here on, looking through all would take long
    ++level_number_;
    places_.resize(kPlaces);
    const auto known = std::exchange(reached_, {});
    for (const Item& one : known) place(one), reached_.push_back(one);
  }
  return place(item);
}

bool Parses::place(const Item& item) {
  std::size_t hash = (item.state * 0x9e3779b1u) ^ (item.node * 0x85ebca6bu) ^
                     (item.must * 0xc2b2ae35u) ^ (item.may * 0x27d4eb2fu);
  for (hash ^= hash >> 15;; ++hash) {
    Place& place = places_[hash % kPlaces];
    if (place.level != level_number_) {
      place = {level_number_, static_cast<std::uint32_t>(reached_.size())};
      return false;
    }
    if (reached_[place.index] == item) return true;
  }
}

void Parses::follow(const Item& item) {
  const std::uint8_t flags = automaton_.flags[item.state];
  if (flags & Automaton::calls_rules) {
    const std::uint32_t first = automaton_.details[item.state];
    for (std::uint32_t i = 0; i < automaton_.call_counts[item.state]; ++i)
      call(automaton_.calls[first + i], item);
  }
  // A rule that ends where it began was passed over when it was called.
  if ((flags & Automaton::accepts) && item.node < levels_.back().nodes) finish(item.node);
}

void Parses::call(const Automaton::Call& call, const Item& caller) {
  const Automaton::RuleInfo& rule = automaton_.rules[call.rule];
  const std::uint8_t then_flags = automaton_.flags[call.then];
  Item then = {call.then, caller.must, caller.may, caller.node};
  if (!(then_flags & (Automaton::is_loop | Automaton::keeps_count))) then.must = then.may = 0;

  NodeIndex& node = node_of_rule_[call.rule];
  const std::size_t first_node = levels_.back().nodes;
  if (node < first_node || node >= nodes_.size() || nodes_[node].rule != call.rule) {
    node = static_cast<NodeIndex>(nodes_.size());
    nodes_.push_back({call.rule, kNone, 0});
    reach({rule.start, 0, 0, node});
  }
  // A call at the end of an older rule returns to that rule's callers at once, so that lists
  // written by right recursion do not grow the stack.
  if ((then_flags & Automaton::only_end) && caller.node < first_node) {
    for (std::uint32_t edge = nodes_[caller.node].first_edge; edge != kNone;
         edge = edges_[edge].next)
      add_edge(node, Item(edges_[edge].then));
  } else {
    add_edge(node, then);
  }
  // An empty round of a loop leads nowhere new.
  const bool is_round =
      (then_flags & Automaton::is_loop) && !automaton_.loops[automaton_.details[call.then]].first;
  if (rule.nullable && !is_round) reach(then);
}

void Parses::add_edge(NodeIndex node, const Item& then) {
  for (std::uint32_t edge = nodes_[node].first_edge; edge != kNone; edge = edges_[edge].next) {
    if (edges_[edge].then == then) return;
    work_.look(1);
  }
  edges_.push_back({then, nodes_[node].first_edge});
  nodes_[node].first_edge = static_cast<std::uint32_t>(edges_.size() - 1);
}

void Parses::finish(NodeIndex node) {
  for (std::uint32_t edge = nodes_[node].first_edge; edge != kNone; edge = edges_[edge].next) {
    reach(Item(edges_[edge].then));
    work_.look(1);
  }
}

}  // namespace drystone::constraint

#include "engine/constraint/automaton.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "engine/constraint/determinize.h"
#include "engine/constraint/limits.h"

namespace drystone::constraint {

namespace {

// Bytes that no edge tells apart share a class.
void make_classes(const Grammar& grammar, const std::bitset<256>& available, Automaton& automaton) {
  std::bitset<257> borders;
  for (RuleId id = 0; id < grammar.size(); ++id) {
    for (const auto& edges : grammar.rule(id).states) {
      for (const Rule::Edge& edge : edges) {
        if (edge.kind != Rule::Edge::Kind::bytes) continue;
        borders.set(edge.first);
        borders.set(edge.last + 1u);
      }
    }
  }
  for (std::size_t byte = 1; byte < 256; ++byte)
    if (available[byte] != available[byte - 1]) borders.set(byte);
  std::size_t current = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && borders[byte]) ++current;
    automaton.class_of[byte] = static_cast<std::uint8_t>(current);
  }
  automaton.classes = current + 1;
}

std::unordered_map<State, RuleId> start_states(const Automaton& automaton) {
  std::unordered_map<State, RuleId> rules;
  for (RuleId id = 0; id < automaton.rules.size(); ++id) rules[automaton.rules[id].start] = id;
  return rules;
}

// Which rules can read nothing. Whoever may do an empty round need not do any.
void find_nullable(Automaton& automaton) {
  const auto calls_nullable = [&](State state, const auto& accept_return) {
    for (std::uint32_t i = 0; i < automaton.call_counts[state]; ++i) {
      const Automaton::Call& call = automaton.calls[automaton.details[state] + i];
      if (automaton.rules[call.rule].nullable && accept_return(call.then)) return true;
    }
    return false;
  };
  const auto rule_of_start = start_states(automaton);
  std::vector<std::uint8_t> nullable(automaton.flags.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (State state = static_cast<State>(automaton.flags.size()); state-- > 0;) {
      if (nullable[state]) continue;
      if (automaton.flags[state] & Automaton::is_loop) {
        Automaton::Loop& loop = automaton.loops[automaton.details[state]];
        const auto is_round = [&](State then) {
          return (automaton.flags[then] & Automaton::is_loop) != 0;
        };
        if (loop.min > 0 && calls_nullable(loop.must, is_round)) loop.min = 0;
        nullable[state] = loop.min == 0 && nullable[loop.done];
      } else {
        nullable[state] = (automaton.flags[state] & Automaton::accepts) != 0 ||
                          calls_nullable(state, [&](State then) { return nullable[then] != 0; });
      }
      if (!nullable[state]) continue;
      changed = true;
      if (const auto rule = rule_of_start.find(state); rule != rule_of_start.end())
        automaton.rules[rule->second].nullable = true;
    }
  }
}

// Takes out whatever cannot be completed.
class Pruner {
 public:
  explicit Pruner(Automaton& automaton)
      : automaton_(automaton), good_(automaton.flags.size()), rounds_(automaton.loops.size()) {}

  void prune() {
    find_good();
    for (State state = 0; state < good_.size(); ++state) cut(state);
    for (State state = 0; state < good_.size(); ++state) mark(state);
    for (bool changed = true; changed;) {
      changed = false;
      for (State state = static_cast<State>(good_.size()); state-- > 0;)
        changed = mark_count(state) || changed;
    }
  }

 private:
  std::int32_t* row(State state) { return &automaton_.transitions[state * automaton_.classes]; }

  // Is there a way on from `state` to a state of which `wanted` holds?
  template <typename Wanted>
  bool leads_to(State state, const Wanted& wanted) {
    const std::int32_t* next = row(state);
    for (std::size_t c = 0; c < automaton_.classes; ++c)
      if (next[c] != kDead && wanted(static_cast<State>(next[c]))) return true;
    for (std::uint32_t i = 0; i < automaton_.call_counts[state]; ++i) {
      const Automaton::Call& call = automaton_.calls[automaton_.details[state] + i];
      if (automaton_.rules[call.rule].productive && wanted(call.then)) return true;
    }
    return false;
  }

  // A round can be completed: from `must` a way leads back to a loop.
  bool can_repeat(State must) {
    std::vector<State> open = {must}, seen = {must};
    while (!open.empty()) {
      const State state = open.back();
      open.pop_back();
      const bool back = leads_to(state, [&](State to) {
        if (automaton_.flags[to] & Automaton::is_loop) return true;
        if (std::find(seen.begin(), seen.end(), to) == seen.end()) {
          seen.push_back(to);
          open.push_back(to);
        }
        return false;
      });
      if (back) return true;
    }
    return false;
  }

  bool is_good(State state) {
    const std::uint8_t flags = automaton_.flags[state];
    if (flags & Automaton::is_loop) {
      const std::uint32_t index = automaton_.details[state];
      const Automaton::Loop& loop = automaton_.loops[index];
      if (!good_[loop.done]) return false;
      if (loop.min > 0 && !rounds_[index]) rounds_[index] = can_repeat(loop.must);
      return loop.min == 0 || rounds_[index];
    }
    return (flags & Automaton::accepts) != 0 ||
           leads_to(state, [&](State to) { return good_[to] != 0; });
  }

  void find_good() {
    const auto rule_of_start = start_states(automaton_);
    for (bool changed = true; changed;) {
      changed = false;
      // Automata are numbered from their start on: backwards, most is found in one pass.
      for (State state = static_cast<State>(good_.size()); state-- > 0;) {
        if (good_[state] || !is_good(state)) continue;
        good_[state] = changed = true;
        if (const auto rule = rule_of_start.find(state); rule != rule_of_start.end())
          automaton_.rules[rule->second].productive = true;
      }
    }
  }

  void cut(State state) {
    std::int32_t* next = row(state);
    for (std::size_t c = 0; c < automaton_.classes; ++c)
      if (next[c] != kDead && !good_[static_cast<State>(next[c])]) next[c] = kDead;
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < automaton_.call_counts[state]; ++i) {
      const Automaton::Call call = automaton_.calls[automaton_.details[state] + i];
      if (!automaton_.rules[call.rule].productive || !good_[call.then]) continue;
      automaton_.calls[automaton_.details[state] + kept++] = call;
    }
    automaton_.call_counts[state] = kept;
  }

  void mark(State state) {
    std::uint8_t& flags = automaton_.flags[state];
    if (flags & Automaton::is_loop) return;
    const std::int32_t* next = row(state);
    if (std::any_of(next, next + automaton_.classes, [](std::int32_t to) { return to != kDead; }))
      flags |= Automaton::reads_bytes;
    if (automaton_.call_counts[state] > 0) flags |= Automaton::calls_rules;
    if (flags == Automaton::accepts) flags |= Automaton::only_end;
  }

  bool mark_count(State state) {
    std::uint8_t& flags = automaton_.flags[state];
    if (flags & (Automaton::is_loop | Automaton::keeps_count)) return false;
    const bool counts = leads_to(state, [&](State to) {
      if (automaton_.flags[to] & Automaton::is_loop)
        return !automaton_.loops[automaton_.details[to]].first;
      return (automaton_.flags[to] & Automaton::keeps_count) != 0;
    });
    if (counts) flags |= Automaton::keeps_count;
    return counts;
  }

  Automaton& automaton_;
  std::vector<std::uint8_t> good_;
  std::vector<std::uint8_t> rounds_;
};

}  // namespace

std::size_t Automaton::bytes() const {
  const auto of = [](const auto& vector) { return vector.size() * sizeof(vector[0]); };
  return of(transitions) + of(flags) + of(details) + of(call_counts) + of(calls) + of(loops) +
         of(rules);
}

Result<Automaton> build_automaton(const Grammar& grammar, const std::bitset<256>& available) {
  Automaton automaton;
  automaton.root = grammar.root;
  make_classes(grammar, available, automaton);
  Determinizer determinizer(grammar, available, automaton);
  for (RuleId id = 0; id < grammar.size(); ++id) TRY(determinizer.add_rule(id));
  find_nullable(automaton);
  Pruner(automaton).prune();
  if (!automaton.rules[automaton.root].productive) {
    return Error(Errc::invalid_argument,
                 available.all()
                     ? "no text can satisfy the constraint: its parts contradict each other, or it "
                       "refers to itself without an end"
                     : "no text can satisfy the constraint with this model's vocabulary, which has "
                       "no tokens for some single bytes");
  }
  return automaton;
}

}  // namespace drystone::constraint

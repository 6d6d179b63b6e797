#include "engine/constraint/determinize.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

Determinizer::Determinizer(const Grammar& grammar, const std::bitset<256>& available,
                           Automaton& automaton)
    : grammar_(grammar), available_(available), automaton_(automaton) {}

Result<void> Determinizer::add_rule(RuleId id) {
  rule_ = &grammar_.rule(id);
  known_.clear();
  open_.clear();
  visited_.assign(rule_->states.size(), 0);
  round_ = 0;
  first_ = static_cast<State>(automaton_.flags.size());
  const State start = TRY(intern({Rule::kStart}));
  automaton_.rules.push_back({start, false, false});
  for (std::size_t i = 0; i < open_.size(); ++i) TRY(fill(first_ + static_cast<State>(i)));
  return {};
}

// What can be reached without reading; states that only pass on are left out.
Determinizer::Subset Determinizer::close(const Subset& states) {
  ++round_;
  std::vector<NfaState> open;
  Subset kept;
  const auto visit = [&](NfaState state) {
    if (visited_[state] == round_) return;
    visited_[state] = round_;
    open.push_back(state);
  };
  for (const NfaState state : states) visit(state);
  const auto& counter = rule_->counter;
  while (!open.empty()) {
    const NfaState state = open.back();
    open.pop_back();
    ++work_;
    bool keep =
        state == Rule::kEnd || (counter && (state == counter->begin || state == counter->again));
    for (const Rule::Edge& edge : rule_->states[state]) {
      if (edge.kind == Rule::Edge::Kind::nothing) {
        visit(edge.to);
      } else {
        keep = true;
      }
    }
    if (keep) kept.push_back(state);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

Result<State> Determinizer::intern(const Subset& states) {
  Subset subset = close(states);
  const auto state = static_cast<State>(automaton_.flags.size());
  const auto [at, is_new] = known_.try_emplace(std::move(subset), state);
  if (!is_new) return at->second;
  if (state >= kStatesMax || (state + 1) * automaton_.classes * 4 > kTableBytesMax) {
    return Error(Errc::limit,
                 fmt::format("{} is too large: it needs more than {} states of an automaton (at "
                             "most {} may be made, and a table of {} MiB); use fewer or smaller "
                             "repetitions and alternatives",
                             rule_->name, state, kStatesMax, kTableBytesMax >> 20));
  }
  if (work_ > kSubsetWorkMax) {
    return Error(Errc::limit,
                 fmt::format("{} is too large: more than {} steps to make its automaton (at most "
                             "{}); use fewer or smaller repetitions and alternatives",
                             rule_->name, kSubsetWorkMax, kSubsetWorkMax));
  }
  open_.push_back(&at->first);
  automaton_.flags.push_back(0);
  automaton_.details.push_back(0);
  automaton_.call_counts.push_back(0);
  automaton_.transitions.resize(automaton_.transitions.size() + automaton_.classes, kDead);
  return state;
}

Result<void> Determinizer::fill(State state) {
  const Subset& subset = *open_[state - first_];
  const auto& counter = rule_->counter;
  for (const NfaState member : subset) {
    if (counter && (member == counter->begin || member == counter->again)) {
      if (subset.size() > 1) {
        return Error(Errc::unsupported, fmt::format("the end of a repetition in {} cannot be told "
                                                    "from what follows it",
                                                    rule_->name));
      }
      return fill_loop(state, member == counter->begin);
    }
    if (member == Rule::kEnd) automaton_.flags[state] |= Automaton::accepts;
  }
  TRY(fill_bytes(state, subset));
  return fill_calls(state, subset);
}

Result<void> Determinizer::fill_loop(State state, bool first) {
  const Rule::Counter& counter = *rule_->counter;
  const State must = TRY(intern({counter.body}));
  const State may = TRY(intern({counter.body, counter.exit}));
  const State done = TRY(intern({counter.exit}));
  automaton_.flags[state] |= Automaton::is_loop;
  automaton_.details[state] = static_cast<std::uint32_t>(automaton_.loops.size());
  automaton_.loops.push_back({must, may, done, counter.min, counter.max, first});
  return {};
}

Result<void> Determinizer::fill_bytes(State state, const Subset& subset) {
  std::vector<Subset> targets(automaton_.classes);
  for (const NfaState member : subset) {
    for (const Rule::Edge& edge : rule_->states[member]) {
      if (edge.kind != Rule::Edge::Kind::bytes) continue;
      for (std::size_t c = automaton_.class_of[edge.first]; c <= automaton_.class_of[edge.last];
           ++c)
        targets[c].push_back(edge.to);
      ++work_;
    }
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::size_t c = automaton_.class_of[byte];
    if (targets[c].empty() || !available_[byte]) continue;
    const State to = TRY(intern(targets[c]));
    targets[c].clear();
    automaton_.transitions[state * automaton_.classes + c] = static_cast<std::int32_t>(to);
  }
  return {};
}

Result<void> Determinizer::fill_calls(State state, const Subset& subset) {
  std::map<RuleId, Subset> targets;
  for (const NfaState member : subset) {
    for (const Rule::Edge& edge : rule_->states[member])
      if (edge.kind == Rule::Edge::Kind::call) targets[edge.rule].push_back(edge.to);
  }
  std::vector<Automaton::Call> calls;
  for (auto& [rule, states] : targets) calls.push_back({rule, TRY(intern(states))});
  automaton_.details[state] = static_cast<std::uint32_t>(automaton_.calls.size());
  automaton_.call_counts[state] = static_cast<std::uint32_t>(calls.size());
  automaton_.calls.insert(automaton_.calls.end(), calls.begin(), calls.end());
  return {};
}

}  // namespace drystone::constraint

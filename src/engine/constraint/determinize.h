#pragma once

#include <bitset>
#include <map>
#include <vector>

#include "base/result.h"
#include "engine/constraint/automaton.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

// Appends the rules of a grammar to an automaton by subset construction: calls count as symbols.
class Determinizer {
 public:
  // Borrows both.
  Determinizer(const Grammar& grammar, const std::bitset<256>& available, Automaton& automaton);

  // Rules must come in order. Errors: limit (states, table or work: both figures).
  Result<void> add_rule(RuleId id);

 private:
  using Subset = std::vector<NfaState>;  // ascending

  Subset close(const Subset& states);
  Result<State> intern(const Subset& states);
  Result<void> fill(State state);
  Result<void> fill_loop(State state, bool first);
  Result<void> fill_bytes(State state, const Subset& subset);
  Result<void> fill_calls(State state, const Subset& subset);

  const Grammar& grammar_;
  const std::bitset<256>& available_;
  Automaton& automaton_;
  const Rule* rule_ = nullptr;
  std::map<Subset, State> known_;
  std::vector<const Subset*> open_;  // of the rule at hand, from first_ on
  State first_ = 0;
  std::vector<std::uint32_t> visited_;  // [states of the rule] in which round of close()
  std::uint32_t round_ = 0;
  std::size_t work_ = 0;
};

}  // namespace drystone::constraint

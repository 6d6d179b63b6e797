#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

using State = std::uint32_t;
constexpr std::int32_t kDead = -1;

// A Grammar made ready for matching: the automaton of every rule is deterministic (but for calls),
// and from every state some text leads to the end. Immutable.
//
// Pushdown: a state may also call rules; when a called rule comes to its end, the caller goes on in
// the state that stands beside the call.
struct Automaton {
  enum Flag : std::uint8_t {
    accepts = 1,      // the rule may end here
    calls_rules = 2,  // calls of this state are not empty
    is_loop = 4,      // stands for one of three states, by the counters: see Loop
    reads_bytes = 8,  // some byte leads on
    only_end = 16,    // accepts, and nothing else
    keeps_count = 32  // the counters still matter
  };
  struct Call {
    RuleId rule;
    State then;
  };
  // Who arrives at a loop goes on in `must` (more rounds are needed), `may` (both ways are open)
  // or `done` (no more rounds). A first arrival sets the counters, later ones count a round.
  struct Loop {
    State must, may, done;
    std::uint32_t min, max;
    bool first;
  };
  struct RuleInfo {
    State start;
    bool nullable;    // may read nothing
    bool productive;  // some text matches
  };

  std::int32_t next(State state, std::uint8_t byte) const {
    return transitions[static_cast<std::size_t>(state) * classes + class_of[byte]];
  }

  std::size_t bytes() const;  // of memory, its tables together

  std::size_t classes = 0;  // of bytes that are never told apart
  std::array<std::uint8_t, 256> class_of = {};
  std::vector<std::int32_t> transitions;   // [states, classes]; kDead where the byte cannot stand
  std::vector<std::uint8_t> flags;         // [states]
  std::vector<std::uint32_t> details;      // [states] first of its calls, or its loop
  std::vector<std::uint32_t> call_counts;  // [states]
  std::vector<Call> calls;
  std::vector<Loop> loops;
  std::vector<RuleInfo> rules;
  RuleId root = 0;
};

// `available`: bytes that can be written one by one; others are left out of the language, so that
// nothing leads into a dead end.
// Errors: limit (states, table: both figures), invalid_argument (no text matches the grammar).
Result<Automaton> build_automaton(const Grammar& grammar, const std::bitset<256>& available);

}  // namespace drystone::constraint

#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint/code_points.h"

namespace drystone::constraint {

using RuleId = std::uint32_t;
using NfaState = std::uint32_t;  // within its rule
constexpr std::uint32_t kUnbounded = UINT32_MAX;

// How the characters of a text stand in the output.
enum class Encoding {
  utf8,
  json_string,  // inside of quotes: what JSON must escape is escaped, in the shortest way
};

// A context-free grammar over bytes: what all kinds of constraints are translated to. Each rule is
// a nondeterministic automaton whose edges read a byte of a range, read nothing, or read what
// another rule describes.
struct Rule {
  struct Edge {
    enum class Kind : std::uint8_t { nothing, bytes, call } kind;
    std::uint8_t first, last;  // bytes
    RuleId rule;               // call
    NfaState to;
  };
  // prefix, then `body` min to max times, then suffix, counted at run time instead of written out.
  // The prefix ends in `begin`; the body begins in `body` and ends in `again`; the suffix begins in
  // `exit`. The three must never be confused: whoever reaches `begin` or `again` is nowhere else.
  struct Counter {
    NfaState begin, again, body, exit;
    std::uint32_t min, max;
  };
  static constexpr NfaState kStart = 0, kEnd = 1;

  std::string name;
  std::vector<std::vector<Edge>> states = {{}, {}};
  std::optional<Counter> counter;

  NfaState add_state() {
    states.emplace_back();
    return static_cast<NfaState>(states.size() - 1);
  }
  void add_nothing(NfaState from, NfaState to) {
    states[from].push_back({Edge::Kind::nothing, 0, 0, 0, to});
  }
  void add_bytes(NfaState from, std::uint8_t first, std::uint8_t last, NfaState to) {
    states[from].push_back({Edge::Kind::bytes, first, last, 0, to});
  }
  void add_call(NfaState from, RuleId rule, NfaState to) {
    states[from].push_back({Edge::Kind::call, 0, 0, rule, to});
  }
  // Each adds the states between and returns where the text ends.
  NfaState add_literal(NfaState from, std::string_view bytes);
  NfaState add_text(NfaState from, std::string_view utf8, Encoding encoding);
  void add_set(NfaState from, const CodePointSet& set, Encoding encoding, NfaState to);
};

class Grammar {
 public:
  RuleId add_rule(std::string name) {
    rules_.emplace_back();
    rules_.back().name = std::move(name);
    return static_cast<RuleId>(rules_.size() - 1);
  }
  Rule& rule(RuleId id) { return rules_[id]; }
  const Rule& rule(RuleId id) const { return rules_[id]; }
  std::size_t size() const { return rules_.size(); }
  std::size_t edges() const;

  // Takes over all rules of another grammar; returns what its root is called here.
  RuleId append(const Grammar& other);

  // prefix, `body` min to max times, suffix as a rule of its own; min <= max, max > 0.
  RuleId add_repeat(std::string name, RuleId body, std::uint32_t min, std::uint32_t max);

  // Copies small rules that call nothing into their callers, so that fewer parses run side by side.
  void inline_small_rules();

  RuleId root = 0;

 private:
  void inline_into(RuleId id, std::vector<std::uint8_t>& seen, int depth);
  std::vector<Rule> rules_;
};

// The JSON escape of a character that must not stand bare in a string; empty if it may.
std::string json_escape(std::uint32_t code_point);

}  // namespace drystone::constraint

#include "engine/constraint/grammar.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace drystone::constraint {

RuleId Grammar::append(const Grammar& other) {
  const auto shift = static_cast<RuleId>(rules_.size());
  for (const Rule& rule : other.rules_) {
    rules_.push_back(rule);
    for (auto& edges : rules_.back().states)
      for (Rule::Edge& edge : edges)
        if (edge.kind == Rule::Edge::Kind::call) edge.rule += shift;
  }
  return other.root + shift;
}

namespace {

constexpr std::size_t kInlinedEdgesMax = 24;
constexpr int kInlineDepthMax = 200;

std::size_t edge_count(const Rule& rule) {
  std::size_t count = 0;
  for (const auto& edges : rule.states) count += edges.size();
  return count;
}

bool calls_something(const Rule& rule) {
  return std::any_of(rule.states.begin(), rule.states.end(), [](const auto& edges) {
    return std::any_of(edges.begin(), edges.end(),
                       [](const Rule::Edge& edge) { return edge.kind == Rule::Edge::Kind::call; });
  });
}

bool may_be_inlined(const Rule& rule) {
  return !rule.counter && edge_count(rule) <= kInlinedEdgesMax && !calls_something(rule);
}

void copy_into(Rule& caller, NfaState from, const Rule& callee, NfaState to) {
  const auto base = static_cast<NfaState>(caller.states.size());
  caller.states.resize(caller.states.size() + callee.states.size());
  for (std::size_t state = 0; state < callee.states.size(); ++state) {
    auto& edges = caller.states[base + state];
    edges = callee.states[state];
    for (Rule::Edge& edge : edges) edge.to += base;
  }
  caller.add_nothing(from, base + Rule::kStart);
  caller.add_nothing(base + Rule::kEnd, to);
}

}  // namespace

std::string json_escape(std::uint32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return c < 0x20 ? fmt::format("\\u{:04x}", c) : std::string();
  }
}

NfaState Rule::add_literal(NfaState from, std::string_view bytes) {
  for (const char c : bytes) {
    const NfaState next = add_state();
    add_bytes(from, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
    from = next;
  }
  return from;
}

NfaState Rule::add_text(NfaState from, std::string_view utf8, Encoding encoding) {
  for (std::size_t at = 0; at < utf8.size();) {
    std::uint32_t code_point = 0;
    const std::size_t begin = at;
    CHECK(read_utf8(utf8, at, code_point));
    const std::string escape =
        encoding == Encoding::json_string ? json_escape(code_point) : std::string();
    from = add_literal(from, escape.empty() ? utf8.substr(begin, at - begin) : escape);
  }
  return from;
}

void Rule::add_set(NfaState from, const CodePointSet& set, Encoding encoding, NfaState to) {
  static const CodePointSet kEscaped = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  const bool json = encoding == Encoding::json_string;
  for (const Utf8Sequence& sequence : utf8_sequences(json ? set.without(kEscaped) : set)) {
    NfaState at = from;
    for (int i = 0; i < sequence.size; ++i) {
      const NfaState next = i + 1 == sequence.size ? to : add_state();
      add_bytes(at, sequence.bytes[static_cast<std::size_t>(i)].first,
                sequence.bytes[static_cast<std::size_t>(i)].last, next);
      at = next;
    }
  }
  if (!json) return;
  const CodePointSet escaped = set.intersection(kEscaped);
  for (const CodePointSet::Range& range : escaped.ranges()) {
    for (std::uint32_t c = range.first; c <= range.last; ++c)
      add_nothing(add_literal(from, json_escape(c)), to);
  }
}

std::size_t Grammar::edges() const {
  std::size_t count = 0;
  for (const Rule& rule : rules_) count += edge_count(rule);
  return count;
}

RuleId Grammar::add_repeat(std::string name, RuleId body, std::uint32_t min, std::uint32_t max) {
  CHECK(min <= max && max > 0, min, max);
  const RuleId id = add_rule(std::move(name));
  Rule& added = rule(id);
  const NfaState begin = added.add_state(), again = added.add_state();
  const NfaState entry = added.add_state();
  added.add_nothing(Rule::kStart, begin);
  added.add_call(entry, body, again);
  added.counter = {begin, again, entry, Rule::kEnd, min, max};
  return id;
}

void Grammar::inline_into(RuleId id, std::vector<std::uint8_t>& seen, int depth) {
  seen[id] = 1;
  for (std::size_t state = 0; state < rules_[id].states.size(); ++state) {
    for (std::size_t i = 0; i < rules_[id].states[state].size(); ++i) {
      const Rule::Edge edge = rules_[id].states[state][i];
      if (edge.kind != Rule::Edge::Kind::call) continue;
      if (seen[edge.rule] == 0 && depth < kInlineDepthMax) inline_into(edge.rule, seen, depth + 1);
      if (seen[edge.rule] != 2 || !may_be_inlined(rules_[edge.rule])) continue;
      // What follows a counted loop is told apart by its call; a copy could be confused with it.
      if (rules_[id].counter) continue;
      auto& edges = rules_[id].states[state];
      edges.erase(edges.begin() + static_cast<std::ptrdiff_t>(i--));
      copy_into(rules_[id], static_cast<NfaState>(state), rules_[edge.rule], edge.to);
    }
  }
  seen[id] = 2;
}

void Grammar::inline_small_rules() {
  std::vector<std::uint8_t> seen(rules_.size());
  inline_into(root, seen, 0);
}

}  // namespace drystone::constraint

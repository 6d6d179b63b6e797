#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/constraint/automaton.h"
#include "engine/constraint/work.h"

namespace drystone::constraint {

using NodeIndex = std::uint32_t;
constexpr std::uint32_t kNone = UINT32_MAX;
// Not states of the automaton, but what stands at the bottom of a stack: the whole text may end
// here, or what follows is not known.
constexpr State kFinal = UINT32_MAX, kUnknown = UINT32_MAX - 1;

// One way to read the text so far: where it stands in a rule, how many rounds of a counted loop
// must and may follow, and who called the rule.
struct Item {
  State state;
  std::uint32_t must, may;
  NodeIndex node;
  bool operator==(const Item&) const = default;
};

// All ways to read the text so far. The stacks share their lower parts: a node is a rule that was
// called at some place of the text; its edges say where each of its callers goes on.
struct Configuration {
  struct Node {
    RuleId rule;
    std::uint32_t first_edge;
    std::uint64_t signature;  // equal for equal stacks; 0: not known yet, 1: cannot be
  };
  struct Edge {
    Item then;
    std::uint32_t next;  // edge of the same node
  };
  std::vector<Item> items;  // that read bytes
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  bool complete = false;  // the text so far may be all

  std::size_t bytes() const {
    return items.size() * sizeof(Item) + nodes.size() * sizeof(Node) + edges.size() * sizeof(Edge);
  }
  // Equal for equal futures within `horizon` bytes; 0: not known.
  std::uint64_t signature(std::uint32_t horizon) const;
};

// Follows a text byte by byte, and back. Not thread-safe. Borrows the automaton, and the work that
// it adds to, if not its own: whoever reads on looks whether that is over().
class Parses {
 public:
  explicit Parses(const Automaton& automaton) : Parses(automaton, own_work_) {}
  Parses(const Automaton& automaton, Work& work);
  Parses(const Parses&) = delete;

  // The beginning of a text.
  void start();
  void load(const Configuration& configuration);
  // One item of which nothing is known but its own rule.
  void load_alone(const Item& item);
  // What follows the rule that `node` of the loaded configuration stands for.
  void load_callers(NodeIndex node);
  // What is left of the stacks after the bytes pushed.
  Configuration save(std::uint32_t horizon) const;

  // Reads a byte with all items of the last level, or with one. False: no way to read it; nothing
  // changed.
  bool push(std::uint8_t byte);
  bool push(const Item& item, std::uint8_t byte);
  void pop_to(std::size_t levels);
  std::size_t levels() const { return levels_.size(); }

  std::span<const Item> items() const {
    return {items_.data() + levels_.back().items, items_.size() - levels_.back().items};
  }
  bool complete() const { return levels_.back().complete; }
  bool unknown() const { return levels_.back().unknown; }  // some stack came to its unknown part

  bool overflowed() const { return overflowed_; }  // more than kItemsMax at some place: left out
  Work& work() { return work_; }

  // Where a transition leads: loops are resolved by the counters, and counters that no longer
  // matter forgotten.
  void arrive(Item& item) const {
    if (automaton_.flags[item.state] & Automaton::is_loop) pass_loop(item);
    if (!(automaton_.flags[item.state] & Automaton::keeps_count)) item.must = item.may = 0;
  }

 private:
  struct Level {
    std::size_t items, nodes, edges;  // where its own begin
    bool complete, unknown;
  };
  void pass_loop(Item& item) const;
  void clear();
  void begin_level();
  bool end_level();
  void reach(Item item);
  bool is_reached(const Item& item);  // or else it is about to be
  bool place(const Item& item);       // the same, by hash
  void follow(const Item& item);
  void call(const Automaton::Call& call, const Item& caller);
  void add_edge(NodeIndex node, const Item& then);
  void finish(NodeIndex node);

  const Automaton& automaton_;
  Work own_work_;
  Work& work_;
  std::vector<Item> items_, reached_;
  std::vector<Configuration::Node> nodes_;
  std::vector<Configuration::Edge> edges_;
  std::vector<Level> levels_;
  std::vector<NodeIndex> node_of_rule_;
  // Which items a level has reached: places in reached_ by hash, valid if of this level.
  struct Place {
    std::uint32_t level, index;
  };
  static constexpr std::size_t kPlaces = 1024;
  std::vector<Place> places_;
  std::uint32_t level_number_ = 0;
  bool overflowed_ = false;
};

}  // namespace drystone::constraint

#pragma once

#include <array>
#include <cstdint>

#include "engine/constraint/limits.h"
#include "engine/constraint/parses.h"
#include "engine/constraint/vocabulary.h"

namespace drystone::constraint {

// Reads the trie nodes [begin, end), all below one node, with the parses as they stand; afterwards
// they stand there again. Calls `read(node)` for each that can be read and `ended(node)` where
// a stack came to its unknown part, both only for nodes deeper than `beyond`. False: gave up, as
// the work of the parses is over.
class TrieWalk {
 public:
  TrieWalk(const Automaton& automaton, const ConstraintVocabulary& vocabulary, Parses& parses)
      : automaton_(automaton), vocabulary_(vocabulary), parses_(parses) {}

  template <typename Read, typename Ended>
  bool walk(std::uint32_t begin, std::uint32_t end, const Read& read, const Ended& ended,
            std::uint32_t beyond = 0) {
    if (begin == end) return true;
    const ConstraintVocabulary::Node* nodes = vocabulary_.node_data();
    const std::size_t base = nodes[begin].depth - 1u, levels = parses_.levels();
    slots_[base] = slot();
    std::size_t looked_at = 0;
    for (std::uint32_t i = begin; i < end;) {
      const ConstraintVocabulary::Node& node = nodes[i];
      ++looked_at;
      if (parses_.work().over()) return false;
      if (node.reach <= beyond || !step(slots_[node.depth - 1u], node.byte, slots_[node.depth])) {
        i = node.skip;
        continue;
      }
      if (node.depth > beyond) read(node);
      const Slot& now = slots_[node.depth];
      if (now.general && parses_.unknown() && node.depth > beyond) ended(i);
      i = now.general && parses_.items().empty() ? node.skip : i + 1;
    }
    parses_.pop_to(levels);
    parses_.work().look(looked_at);
    return !parses_.work().over();
  }

 private:
  // How the text up to a depth stands. Mostly one item is left, which goes on by table alone.
  struct Slot {
    Item item;
    bool single;         // `item` is all there is
    bool general;        // the last level of the parses is this one's own
    std::size_t levels;  // of the parses, up to here
  };

  Slot slot() const {
    const bool single = parses_.items().size() == 1;
    return {single ? parses_.items()[0] : Item{}, single, true, parses_.levels()};
  }

  bool step(const Slot& from, std::uint8_t byte, Slot& to) {
    if (from.single) {
      const std::int32_t next = automaton_.next(from.item.state, byte);
      if (next == kDead) return false;
      Item item = from.item;
      item.state = static_cast<State>(next);
      parses_.arrive(item);
      const std::uint8_t flags = automaton_.flags[item.state];
      if (!(flags & (Automaton::accepts | Automaton::calls_rules))) {
        to = {item, true, false, from.levels};
        return true;
      }
    }
    parses_.pop_to(from.levels);
    if (!(from.single ? parses_.push(from.item, byte) : parses_.push(byte))) return false;
    to = slot();
    return true;
  }

  const Automaton& automaton_;
  const ConstraintVocabulary& vocabulary_;
  Parses& parses_;
  std::array<Slot, kTokenBytesMax + 2> slots_;
};

}  // namespace drystone::constraint

#pragma once

#include <cstdint>
#include <string>

#include "engine/constraint/automaton.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/parses.h"
#include "engine/constraint/spec_grammar.h"

namespace drystone::constraint {

// For fuzz targets. Any bytes as a constraint of a kind: an error, or a grammar of which some text
// can be written, byte by byte, without coming to a dead end.
inline void write_some_text(ConstraintSpec::Kind kind, const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return;
  auto grammar = make_grammar({kind, {reinterpret_cast<const char*>(data), size}, {}});
  if (!grammar || grammar->edges() > 50'000) return;
  grammar->inline_small_rules();
  const auto automaton = build_automaton(*grammar, std::bitset<256>().set());
  if (!automaton) return;
  Parses parses(*automaton);
  parses.start();
  for (int i = 0; i < 64 && !parses.items().empty(); ++i) {
    const auto first = static_cast<std::uint8_t>(data[static_cast<std::size_t>(i) % size]);
    int byte = 0;
    while (byte < 256 && !parses.push(static_cast<std::uint8_t>(first + byte))) ++byte;
    CHECK(byte < 256);  // a dead end
  }
}

}  // namespace drystone::constraint

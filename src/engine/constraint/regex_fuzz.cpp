#include <cstdint>
#include <string>

#include "engine/constraint/automaton.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/parses.h"
#include "engine/constraint/spec_grammar.h"

// Any bytes as a regular expression: an error, or a grammar of which some text can be written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  if (size > 4096) return 0;
  auto grammar = constraint::make_grammar(
      {ConstraintSpec::Kind::regex, {reinterpret_cast<const char*>(data), size}, {}});
  if (!grammar || grammar->edges() > 50'000) return 0;
  grammar->inline_small_rules();
  const auto automaton = constraint::build_automaton(*grammar, std::bitset<256>().set());
  if (!automaton) return 0;
  constraint::Parses parses(*automaton);
  parses.start();
  for (int i = 0; i < 64 && !parses.items().empty(); ++i) {
    const auto first = static_cast<std::uint8_t>(data[static_cast<std::size_t>(i) % size]);
    int byte = 0;
    while (byte < 256 && !parses.push(static_cast<std::uint8_t>(first + byte))) ++byte;
    CHECK(byte < 256);  // a dead end
  }
  return 0;
}

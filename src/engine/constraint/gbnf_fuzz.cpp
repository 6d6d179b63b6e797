#include "engine/constraint/fuzz_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  constraint::write_some_text(ConstraintSpec::Kind::gbnf, data, size);
  return 0;
}

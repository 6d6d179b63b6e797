#include <cstdlib>

#include "app/node/wire/node_descriptor.h"

// What is read is written and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace drystone;
  const auto read = parse_node_descriptor({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  (void)endpoints_of(*read);
  const auto again = parse_node_descriptor(to_json(*read));
  if (!again || *again != *read) std::abort();
  return 0;
}

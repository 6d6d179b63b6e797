#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "model/gguf/gguf.h"

// What parse() accepts must be readable in full: every byte of every tensor, every tensor by its
// name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto file = drystone::GgufFile::parse(std::as_bytes(std::span(data, size)));
  if (!file) {
    if (file.error().message().empty()) std::abort();
    return 0;
  }
  unsigned sum = 0;
  for (const drystone::GgufTensor& tensor : file->tensors()) {
    if (file->find(tensor.name) != &tensor) std::abort();
    for (const std::byte byte : file->data(tensor)) sum += static_cast<unsigned>(byte);
  }
  for (const auto& [key, value] : file->metadata().all()) {
    if (file->metadata().find(key) != &value) std::abort();
    sum += static_cast<unsigned>(file->metadata().u32(key).has_value());
  }
  volatile unsigned kept = sum;  // the reads must not be optimised away
  (void)kept;
  return 0;
}

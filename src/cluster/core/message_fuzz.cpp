#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cluster/core/message.h"

// What is read must be written and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone::cluster;
  const auto message = parse_message(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!message) return 0;
  const auto texts = to_texts(*message);
  if (texts.empty()) std::abort();
  for (const auto& text : texts)
    if (text.size() > kMessageBytesMax || !parse_message(text)) std::abort();
  if (texts.size() == 1 && *parse_message(texts[0]) != *message) std::abort();
  return 0;
}

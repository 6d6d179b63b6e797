#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "serve/api/openai/openai_responses.h"

// A request's body is foreign bytes: each either is understood, or refused as the client's mistake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const drystone::SystemClock clock;
  static const drystone::ResponseStore store(clock);
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = drystone::parse_response_request(body, store);
  if (!request) {
    CHECK(request.error().status == 400 || request.error().status == 404);
    return 0;
  }
  CHECK(!request->chat.messages.empty());
  for (const auto& message : request->chat.messages)
    CHECK(message.at("role").is_string() && message.at("content").is_string());
  return 0;
}

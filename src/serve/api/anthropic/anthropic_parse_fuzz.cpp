#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "serve/api/anthropic/anthropic_error.h"
#include "serve/api/anthropic/anthropic_parse.h"

// A request's body is foreign bytes: each either is understood, or refused as the client's mistake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const bool counting : {false, true}) {
    const auto request = drystone::parse_messages_request(body, counting);
    if (!request) {
      CHECK(request.error().status == 400 && !drystone::anthropic_error(request.error()).empty());
      continue;
    }
    CHECK(!request->messages.empty());
    for (const auto& message : request->messages)
      CHECK(message.at("role").is_string() && message.at("content").is_string());
  }
  CHECK(!drystone::without_billing_lines(body).starts_with("x-anthropic-billing-header"));
  return 0;
}

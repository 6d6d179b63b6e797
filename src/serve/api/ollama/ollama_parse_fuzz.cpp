#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "serve/api/ollama/ollama_parse.h"

// A request's body is foreign bytes: each either is understood, or refused as the client's mistake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto& request :
       {drystone::parse_ollama_chat(body), drystone::parse_ollama_generate(body)}) {
    if (!request)
      CHECK(request.error().status == 400 && !drystone::ollama_error(request.error()).empty());
    else
      for (const auto& message : request->chat.messages)
        CHECK(message.at("role").is_string() && message.at("content").is_string());
  }
  if (const auto model = drystone::parse_ollama_model(body); !model)
    CHECK(model.error().status == 400);
  for (const auto& request :
       {drystone::parse_ollama_embed(body), drystone::parse_ollama_embeddings(body)})
    if (!request) CHECK(request.error().status == 400);
  return 0;
}

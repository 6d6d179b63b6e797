#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/chat_request.h"

namespace drystone {

std::string ollama_error(const ApiError& error);  // {"error": message}

// What a request of /api/chat or /api/generate asks for.
struct OllamaRequest {
  // A conversation; or, of /api/generate with `raw` or `suffix`, a text to continue.
  ChatRequest chat;
  std::optional<CompletionRequest> completion;
  bool load_only = false;         // no message, or an empty prompt: asks for loading alone
  bool unload = false;            // the same with keep_alive 0
  std::uint32_t context_min = 0;  // num_ctx

  const GenerationOptions& options() const {
    return completion ? completion->options : chat.options;
  }
};

// Foreign bytes: bounded in depth and counts (docs/formats/ollama-api.md).
ApiResult<OllamaRequest> parse_ollama_chat(std::string_view body);
ApiResult<OllamaRequest> parse_ollama_generate(std::string_view body);

// What a request of /api/embed or /api/embeddings asks for.
struct OllamaEmbedRequest {
  std::string model;
  std::vector<std::string> inputs;  // none: asks for loading alone
  bool truncate = true;             // texts that are too long are cut; else refused
  std::uint32_t dimensions = 0;     // 0: as many as the model has
  std::uint32_t context = 0;        // num_ctx; 0: the server's
  std::vector<std::string> ignored;
};
ApiResult<OllamaEmbedRequest> parse_ollama_embed(std::string_view body);
ApiResult<OllamaEmbedRequest> parse_ollama_embeddings(std::string_view body);  // the older one

// The model that /api/show names.
ApiResult<std::string> parse_ollama_model(std::string_view body);

}  // namespace drystone

#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "serve/http/chat_request.h"

namespace drystone {

// What the public APIs need of a model. serve/engine_model.h is the real one; tests script theirs.
// generate() is called from one thread, one call at a time; everything else from any thread, also
// during generate().
class ServedModel {
 public:
  virtual ~ServedModel() = default;

  // The conversation as the model's chat template writes it, as token ids. What users wrote cannot
  // become control tokens. Errors: unsupported (no chat template), invalid_argument (the template
  // refuses, in its words), limit, corrupt.
  virtual Result<std::vector<TokenId>> chat_prompt(const ChatRequest& request) const = 0;
  // A raw prompt: control tokens written out are control tokens.
  virtual std::vector<TokenId> text_prompt(std::string_view text) const = 0;
  // The bytes of one token, possibly part of a UTF-8 character; control tokens as they are written.
  virtual std::string piece(TokenId id) const = 0;

  virtual std::uint32_t context() const = 0;
  virtual std::uint32_t vocab() const = 0;

  // As Engine::generate().
  virtual Result<GenerateResult> generate(const GenerateRequest& request,
                                          const std::function<void(const Delta&)>& sink,
                                          std::stop_token stop) = 0;
};

}  // namespace drystone

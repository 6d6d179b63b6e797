#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/generation_job.h"
#include "serve/http/chat_request.h"

namespace drystone {

// What the public APIs need of a model. serve/engine_model.h is the real one; tests script theirs.
// Everything from any thread.
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

  // Where its requests run.
  virtual JobQueue& jobs() = 0;
};

}  // namespace drystone

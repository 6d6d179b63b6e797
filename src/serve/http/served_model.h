#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/constraint/constraint_spec.h"
#include "engine/generation_job.h"
#include "serve/http/chat_request.h"
#include "serve/toolcall/reply_format.h"

namespace drystone {

// What clients may be told about a model.
struct ModelFacts {
  std::string family;  // general.architecture
  std::string chat_template;
  std::uint64_t weights_bytes = 0;
  bool fills_in = false;  // has tokens for filling in the middle
};

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

  // How the model writes reasoning and tool calls.
  virtual ReplyFormat reply_format() const { return {}; }
  // The control tokens with which it marks them: a ReplySplitter must see their text.
  virtual std::vector<TokenId> mark_tokens() const { return {}; }
  // A prompt that asks for what stands between both. Errors: unsupported (the model has no tokens
  // for it).
  virtual Result<std::vector<TokenId>> fill_in_prompt(std::string_view before,
                                                      std::string_view after) const {
    static_cast<void>(before), static_cast<void>(after);
    return Error(Errc::unsupported, "this model has no tokens for filling in the middle");
  }
  // Makes `constraint` ready for this model's tokens. Takes milliseconds. Errors: invalid_argument
  // (malformed, or nothing can satisfy it), unsupported, limit.
  virtual Result<std::shared_ptr<const CompiledConstraint>> compile(
      const Constraint& constraint) const {
    static_cast<void>(constraint);
    return Error(Errc::unsupported,
                 "this server does not constrain the output; ask for the form in a message");
  }
  // The same for a constraint that another node has compiled for its copy of this model. `calls`:
  // the marks of tool calls are tokens of its text. Errors: as those of compile().
  virtual Result<std::shared_ptr<const CompiledConstraint>> compile_spec(const ConstraintSpec& spec,
                                                                         bool calls) const {
    static_cast<void>(spec), static_cast<void>(calls);
    return Error(Errc::unsupported, "this server does not constrain the output");
  }
  // What holds an answer to the calls that `request.tool_choice` requires, in this model's format.
  // `reasoning_open`: the prompt ends within reasoning. Errors: as those of compile().
  virtual Result<std::shared_ptr<const CompiledConstraint>> compile_calls(
      const ChatRequest& request, bool reasoning_open) const {
    static_cast<void>(request), static_cast<void>(reasoning_open);
    return Error(Errc::unsupported, "this server cannot force a call");
  }

  // Whether it continues text. One made for ranking documents does not.
  virtual bool writes() const { return true; }
  // How it makes one vector of a text when the client does not say. Errors: unsupported, in a
  // sentence for the client.
  virtual Result<Pooling> pooling() const {
    return Error(Errc::unsupported, "This server computes no embeddings.");
  }
  virtual std::uint32_t width() const { return 0; }  // values of such a vector
  // A query and a document as a ranking model reads them together. Control tokens that they spell
  // out stay text. Errors: unsupported, saying what this model lacks.
  virtual Result<std::vector<TokenId>> rank_prompt(std::string_view query,
                                                   std::string_view document) const {
    static_cast<void>(query), static_cast<void>(document);
    return Error(Errc::unsupported, "This server ranks no documents.");
  }
  // How much the document has to do with the query, in [0, 1], by the hidden state of the last
  // token of that prompt.
  virtual float relevance(std::span<const float> hidden) const {
    static_cast<void>(hidden);
    return 0;
  }

  virtual std::uint32_t context() const = 0;
  virtual std::uint32_t vocab() const = 0;

  virtual ModelFacts facts() const { return {}; }

  // Where its requests run.
  virtual JobQueue& jobs() = 0;
};

}  // namespace drystone

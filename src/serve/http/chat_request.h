#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/sampler.h"

namespace drystone {

// The form that an answer must have.
struct Constraint {
  enum class Kind { none, json_object, json_schema, regex, choice, grammar };
  Kind kind = Kind::none;
  boost::json::value schema;         // json_schema
  std::string text;                  // regex; grammar: GBNF
  std::vector<std::string> choices;  // choice
  std::string field;                 // where the request says it, for messages
};

// What every dialect's request says about the generation itself.
struct GenerationOptions {
  SamplingOptions sampling;
  std::optional<std::uint64_t> seed;  // absent: a random one
  std::uint32_t choices = 1;          // answers to the same prompt
  std::uint32_t tokens_max = 0;       // 0: as many as the context holds
  std::uint32_t tokens_min = 0;       // no end of the answer before
  std::vector<std::string> stop;
  std::vector<TokenId> stop_tokens;
  bool ignore_eos = false;
  std::optional<std::uint32_t> top_logprobs;  // set: the answer carries logprobs
  std::string cache_salt;                     // who shares cached prefixes; "": everyone
  std::int32_t priority = 0;                  // lower goes first
  Constraint constraint;
  bool stream = false;
  bool include_usage = false;        // a last chunk of a stream with the usage
  std::vector<std::string> ignored;  // parameters we do not know: named in a response header
};

struct ToolChoice {
  enum class Kind { automatic, none, required, named };
  Kind kind = Kind::automatic;
  std::string name;  // named
};

// A conversation to continue. `messages` are ready for a chat template: roles system, user,
// assistant or tool, and content a string.
struct ChatRequest {
  std::string model;  // "" when the client named none
  boost::json::array messages;
  boost::json::array tools;  // as OpenAI's chats write them
  ToolChoice tool_choice;
  bool parallel_tool_calls = true;
  bool include_reasoning = true;
  boost::json::object template_variables;  // chat_template_kwargs
  bool add_generation_prompt = true;
  GenerationOptions options;
};

using PromptInput = std::variant<std::string, std::vector<TokenId>>;

// Texts to continue, each by itself.
struct CompletionRequest {
  std::string model;
  std::vector<PromptInput> prompts;   // at least one
  std::optional<std::string> suffix;  // what comes after the answer
  bool echo = false;
  GenerationOptions options;
};

}  // namespace drystone

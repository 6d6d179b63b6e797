#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/sampler.h"

namespace drystone {

// What every dialect's request says about the generation itself.
struct GenerationOptions {
  SamplingOptions sampling;
  std::optional<std::uint64_t> seed;  // absent: a random one
  std::uint32_t tokens_max = 0;       // 0: as many as the context holds
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::optional<std::uint32_t> top_logprobs;  // set: the answer carries logprobs
  bool stream = false;
  bool include_usage = false;        // a last chunk of a stream with the usage
  std::vector<std::string> ignored;  // parameters we do not know: named in a response header
};

// A conversation to continue. `messages` are ready for a chat template: roles system, user,
// assistant or tool, and content a string.
struct ChatRequest {
  std::string model;  // "" when the client named none
  boost::json::array messages;
  boost::json::array tools;
  boost::json::object template_variables;  // chat_template_kwargs
  bool add_generation_prompt = true;
  GenerationOptions options;
};

// A text to continue.
struct CompletionRequest {
  std::string model;
  std::variant<std::string, std::vector<TokenId>> prompt;
  bool echo = false;
  GenerationOptions options;
};

}  // namespace drystone

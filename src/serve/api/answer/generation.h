#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/api/answer/choice_answer.h"
#include "serve/http/api_error.h"
#include "serve/http/chat_request.h"
#include "serve/http/served_model.h"

namespace drystone {

// Jobs for the engine, one for each choice of each prompt, choices of a prompt side by side.
struct Generation {
  std::vector<GenerateRequest> jobs;
  ChoiceAnswer::Options answer;
};

// Checks `options` against what the model holds and can do. The one place where a request of ours
// becomes one of the engine's. Errors: 400, naming what does not fit or cannot be honoured.
ApiResult<std::vector<GenerateRequest>> to_jobs(const GenerationOptions& options,
                                                std::vector<TokenId> prompt,
                                                const ServedModel& model);

// The prompt of a conversation as token ids. Errors: those of ServedModel::chat_prompt.
ApiResult<std::vector<TokenId>> chat_prompt(const ChatRequest& request, const ServedModel& model);

// Both, and how the answer is to be split into reasoning, content and calls.
ApiResult<Generation> chat_generation(const ChatRequest& request, const ServedModel& model);

std::string random_id(std::string_view prefix);

}  // namespace drystone

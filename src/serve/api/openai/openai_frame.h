#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "serve/api/answer/answer_writer.h"
#include "serve/api/openai/openai_logprobs.h"

namespace drystone {

struct OpenAiAnswerInfo {
  std::string id;     // "chatcmpl-..."
  std::string model;  // as served
  std::int64_t created_unix_s = 0;
  std::size_t choices = 1;  // of all prompts together
  std::size_t choices_per_prompt = 1;
  bool logprobs = false;          // tokens carry them
  bool include_usage = false;     // chunks but the last say "usage": null
  std::vector<std::string> echo;  // completions: for each prompt, repeated before the answer
  PieceOf piece;
};

// What chats and completions share: the frame around `choices`.
class OpenAiFrame : public AnswerWriter {
 public:
  explicit OpenAiFrame(OpenAiAnswerInfo info) : info_(std::move(info)) {}

  std::string whole(std::span<const ChoiceAnswer> choices) override;
  std::string end(std::span<const ChoiceAnswer> choices) override;
  std::string error(const ApiError& error) override;

 protected:
  virtual std::string_view whole_object() const = 0;
  virtual std::string_view chunk_object() const = 0;
  virtual boost::json::object whole_choice(std::size_t index, const ChoiceAnswer& choice) = 0;

  // A chunk with one choice, as an event. `choice`: its JSON.
  std::string chunk_of(std::string_view choice);
  std::string chunk_of(const boost::json::object& choice);

  OpenAiAnswerInfo info_;

 private:
  boost::json::object frame(std::string_view object) const;  // all but the choices
  boost::json::object usage(std::span<const ChoiceAnswer> choices) const;

  std::string chunk_head_;  // of all chunks, up to the choice
};

std::unique_ptr<AnswerWriter> chat_writer(OpenAiAnswerInfo info);        // chat.completion(.chunk)
std::unique_ptr<AnswerWriter> completion_writer(OpenAiAnswerInfo info);  // text_completion

// "stop", "length" or "tool_calls".
std::string_view finish_name(AnswerEnd end);

// vLLM's extension: the stop string or the id of the stop token that ended the answer, else null.
boost::json::value stop_reason(const ChoiceAnswer& answer);

// [{"id", "type": "function", "function": {"name", "arguments"}}]
boost::json::array tool_calls_json(std::span<const ToolCall> calls);

}  // namespace drystone

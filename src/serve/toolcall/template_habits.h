#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/chat_template/chat_template.h"

namespace drystone {

// What a chat template wants messages to look like, where templates disagree.
struct TemplateHabits {
  bool shows_tools = false;              // `tools` appear in the prompt
  bool shows_calls = false;              // tool_calls of assistant messages appear in it
  bool arguments_as_object = true;       // else as the JSON text
  bool content_null_with_calls = false;  // an empty content beside calls is null, else ""
  bool one_call_per_message = false;     // only the first of several calls would be written
  bool short_ids = false;                // call ids must be 9 letters or digits (Mistral)
  bool knows_developer = false;          // the role `developer`; else it is called `system`
  // Where reasoning goes: "reasoning_content", "thinking", or empty: the template drops it.
  std::string reasoning_key;
  bool reasoning_excludes_content = false;  // an assistant message with calls has one of the two

  bool operator==(const TemplateHabits&) const = default;
};

// Finds out by rendering small conversations. Takes about a millisecond; do it once per model.
TemplateHabits learn_habits(const ChatTemplate& chat_template);

// The messages of an OpenAI-shaped request as the template wants them. Beyond the habits: content
// that is an array of text parts becomes one string, and results of tools get the name of the tool.
// Errors: invalid_argument  "messages[2].tool_calls[0].function.arguments is not a JSON object:
// ..."
Result<boost::json::array> template_messages(const boost::json::array& messages,
                                             const TemplateHabits& habits);

}  // namespace drystone

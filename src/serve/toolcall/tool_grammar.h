#pragma once

#include <boost/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "serve/toolcall/reply_format.h"

namespace drystone {

struct ToolGrammarOptions {
  std::string function;           // the one that must be called; empty: any of the tools
  bool parallel = false;          // more than one call may follow the first
  bool reasoning_open = false;    // prompt_opens_reasoning() of the prompt
  bool reasoning_allowed = true;  // the reply may begin with reasoning, where the model has marks
};

// A grammar in GBNF as llama.cpp documents it; its start is `root`. It spells out control tokens
// (visible_marks) as text. The end of the grammar is where the model may end its turn.
struct ToolGrammar {
  std::string gbnf;
  // Rules that `gbnf` refers to but does not have: name and the JSON schema of what stands there.
  // Each schema is complete in itself ($defs are copied into it).
  std::vector<std::pair<std::string, boost::json::value>> schemas;
};

// What tool_choice "required" or a named function demands: the text that a model may write is a
// call in its own format (several with `parallel`), with arguments that follow the tool's schema.
// A ReplySplitter of the same format reads it back without loss.
//   tools   as OpenAI writes them: [{"type": "function", "function": {"name", "parameters"}}]
// Errors: unsupported       the model's format has no tool calls
//         not_found         options.function is not among the tools
//         invalid_argument  a tool without a name, or a name that the format cannot write
Result<ToolGrammar> tool_grammar(const ReplyFormat& format, const boost::json::array& tools,
                                 const ToolGrammarOptions& options);

}  // namespace drystone

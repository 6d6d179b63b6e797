#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drystone {

// How a model family writes a tool call. docs/formats/tool-calls.md shows each one.
enum class ToolFormat {
  none,           // the model knows no tool calls
  hermes,         // <tool_call>{"name": ..., "arguments": {...}}</tool_call>   Hermes, Qwen
  qwen3_coder,    // <tool_call><function=NAME><parameter=KEY>...               Qwen3-Coder, Qwen3.5
  llama3,         // {"name": ..., "parameters": {...}}, <|python_tag|>         Llama 3.1 to 3.3
  mistral_array,  // [TOOL_CALLS][{"name": ..., "arguments": {...}}]            Mistral up to v7
  mistral_args,   // [TOOL_CALLS]NAME[ARGS]{...}                                Mistral from v11
  deepseek_r1,    // NAME and a ```json block within tool marks                 DeepSeek V3, R1
  deepseek_v3_1,  // NAME and JSON within tool marks                            DeepSeek V3.1
  kimi_k2,        // functions.NAME:INDEX and JSON within tool marks            Kimi K2
  glm,            // <tool_call>NAME<arg_key>...<arg_value>...                  GLM 4.5 to 4.7
  minimax_m2,     // <minimax:tool_call><invoke name="NAME"><parameter ...      MiniMax M2
  harmony,        // channels and recipients                                    gpt-oss
};

// What stands around reasoning. Both empty: the model does not mark any, or (harmony) its channels
// do.
struct ReasoningMarks {
  std::string open, close;  // e.g. "<think>", "</think>"

  bool operator==(const ReasoningMarks&) const = default;
};

struct ReplyFormat {
  ToolFormat tools = ToolFormat::none;
  ReasoningMarks reasoning;

  bool operator==(const ReplyFormat&) const = default;
};

std::string_view to_string(ToolFormat format);

// What the template shows of the format (every template that knows tools spells out how a call is
// written). `architecture` (general.architecture of a GGUF) decides only where the template is
// empty.
ReplyFormat detect_format(std::string_view template_source, std::string_view architecture);

// The tokens of the vocabulary that a ReplySplitter must see as text, although they are control
// tokens: the detokenizer keeps those whose text is among these. A model may well write some of
// them with ordinary tokens; that needs nothing.
std::vector<std::string> visible_marks(const ReplyFormat& format);

// Whether a prompt that ends like this has already opened the reasoning ("...<think>\n"), so that
// the reply begins inside of it. The last 64 bytes of the rendered prompt are enough.
bool prompt_opens_reasoning(const ReplyFormat& format, std::string_view prompt_end);

}  // namespace drystone

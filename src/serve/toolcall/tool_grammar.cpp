#include "serve/toolcall/tool_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "serve/toolcall/gbnf_writer.h"
#include "serve/toolcall/read_text.h"
#include "serve/toolcall/tool_schemas.h"

namespace drystone {
namespace json = boost::json;

namespace {

struct Tool {
  std::string name;
  json::value parameters;
};

std::string q(std::string_view text) { return reply::GbnfWriter::quoted(text); }

// How a format writes several calls: what stands around all, between two, and each.
struct Frame {
  std::string_view open, separator, close;
};

Frame frame_of(ToolFormat format) {
  switch (format) {
    case ToolFormat::llama3:
      return {"", "; ", ""};
    case ToolFormat::mistral_array:
      return {"[TOOL_CALLS][", ", ", "]"};
    case ToolFormat::deepseek_r1:
      return {"<｜tool▁calls▁begin｜>", "\n", "<｜tool▁calls▁end｜>"};
    case ToolFormat::deepseek_v3_1:
      return {"<｜tool▁calls▁begin｜>", "", "<｜tool▁calls▁end｜>"};
    case ToolFormat::kimi_k2:
      return {"<|tool_calls_section_begin|>", "", "<|tool_calls_section_end|>"};
    case ToolFormat::minimax_m2:
      return {"<minimax:tool_call>\n", "", "</minimax:tool_call>"};
    case ToolFormat::hermes:
    case ToolFormat::qwen3_coder:
      return {"", "\n", ""};
    case ToolFormat::none:
    case ToolFormat::glm:
    case ToolFormat::mistral_args:
    case ToolFormat::harmony:
      return {};
  }
  return {};
}

class CallWriter {
 public:
  CallWriter(ToolFormat format, const json::array& tools) : format_(format), schemas_(tools) {}

  // The right side of a rule for one call of `tool`.
  Result<std::string> call(const Tool& tool);
  reply::GbnfWriter& rules() { return rules_; }

 private:
  // Tags around an argument, and around all of them.
  struct Tags {
    std::string open, name_close, key_open, key_close, value_close, close;
    bool lines;  // line ends around values
  };
  Result<std::string> tagged_call(const Tool& tool, const Tags& tags);
  Result<std::string> argument(const Tool& tool, const Tags& tags, std::string_view key,
                               const json::value& schema);
  std::string text_value(const Tags& tags, const json::value& schema);
  std::string value_end(const Tags& tags) const {
    return (tags.lines ? "\n" : "") + tags.value_close;
  }

  ToolFormat format_;
  reply::ToolSchemas schemas_;
  reply::GbnfWriter rules_;
};

Result<std::string> CallWriter::call(const Tool& tool) {
  const std::string& name = tool.name;
  switch (format_) {
    case ToolFormat::hermes:
      return q("<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": ") + " " +
             rules_.json(tool.parameters) + " " + q("}\n</tool_call>");
    case ToolFormat::llama3:
      return q("{\"name\": \"" + name + "\", \"parameters\": ") + " " +
             rules_.json(tool.parameters) + " " + q("}");
    case ToolFormat::mistral_array:
      return q("{\"name\": \"" + name + "\", \"arguments\": ") + " " +
             rules_.json(tool.parameters) + " ( " + q(", \"id\": \"") + " [a-zA-Z0-9]{9} " +
             q("\"") + " )? " + q("}");
    case ToolFormat::mistral_args:
      return q("[TOOL_CALLS]" + name) + " ( " + q("[CALL_ID]") + " [a-zA-Z0-9]{9} )? " +
             q("[ARGS]") + " " + rules_.json(tool.parameters);
    case ToolFormat::deepseek_r1:
      return q("<｜tool▁call▁begin｜>function<｜tool▁sep｜>" + name + "\n```json\n") + " " +
             rules_.json(tool.parameters) + " " + q("\n```<｜tool▁call▁end｜>");
    case ToolFormat::deepseek_v3_1:
      return q("<｜tool▁call▁begin｜>" + name + "<｜tool▁sep｜>") + " " +
             rules_.json(tool.parameters) + " " + q("<｜tool▁call▁end｜>");
    case ToolFormat::kimi_k2:
      return q("<|tool_call_begin|>functions." + name + ":") + " [0-9]{1,4} " +
             q("<|tool_call_argument_begin|>") + " " + rules_.json(tool.parameters) + " " +
             q("<|tool_call_end|>");
    case ToolFormat::harmony:
      return "( " + q("<|channel|>commentary to=functions." + name + " <|constrain|>json") + " | " +
             q(" to=functions." + name + "<|channel|>commentary json") + " ) " + q("<|message|>") +
             " " + rules_.json(tool.parameters);
    case ToolFormat::qwen3_coder:
      return tagged_call(tool, {"<tool_call>\n<function=", ">\n", "<parameter=", ">\n",
                                "</parameter>", "</function>\n</tool_call>", true});
    case ToolFormat::minimax_m2:
      return tagged_call(tool, {"<invoke name=\"", "\">\n", "<parameter name=\"", "\">",
                                "</parameter>", "</invoke>\n", false});
    case ToolFormat::glm:
      return tagged_call(tool, {"<tool_call>", "", "<arg_key>", "</arg_key>", "</arg_value>",
                                "</tool_call>", false});
    case ToolFormat::none:
      break;
  }
  return Error(Errc::unsupported, "the model's format has no tool calls");
}

// Alternatives, where the schema lists strings; else any text.
std::string CallWriter::text_value(const Tags& tags, const json::value& schema) {
  const json::object* object = schema.if_object();
  const json::value* listed = object == nullptr ? nullptr : object->if_contains("enum");
  std::string alternatives;
  const auto add = [&](const json::value& value) {
    const std::string text =
        value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    alternatives += (alternatives.empty() ? "" : " | ") + q(text);
  };
  if (listed != nullptr && listed->is_array())
    for (const json::value& value : listed->get_array()) add(value);
  else if (const json::value* only = object == nullptr ? nullptr : object->if_contains("const"))
    add(*only);
  if (!alternatives.empty()) return "( " + alternatives + " ) " + q(value_end(tags));
  return tags.lines ? rules_.text_line_and_mark(tags.value_close)
                    : rules_.text_and_mark(tags.value_close);
}

Result<std::string> CallWriter::argument(const Tool& tool, const Tags& tags, std::string_view key,
                                         const json::value& schema) {
  if (key.empty() || key.size() > reply::kNameBytesMax || key.find_first_of("<>\"\n") != key.npos)
    return Error(
        Errc::invalid_argument,
        fmt::format("tool {}: a parameter is called {}, which {} cannot write; use 1 to {} "
                    "bytes without < > \" and line ends",
                    tool.name, json::serialize(key), to_string(format_), reply::kNameBytesMax));
  const bool glm = format_ == ToolFormat::glm;
  const std::string line = glm ? q("\n") + "? " : "";
  const std::string begin = line + q(tags.key_open + std::string(key) + tags.key_close) + " " +
                            (glm ? line + q("<arg_value>") + " " : "");
  const std::string end = glm ? "" : " " + q("\n");
  if (schemas_.may_be_text(tool.name, key)) return begin + text_value(tags, schema) + end;
  json::value whole = schema;
  const json::object* root = tool.parameters.if_object();
  for (const std::string_view shared : {"$defs", "definitions"})
    if (const json::value* defs = root == nullptr ? nullptr : root->if_contains(shared);
        defs != nullptr && whole.is_object())
      whole.get_object()[shared] = *defs;
  return begin + rules_.json(whole) + " " + q(value_end(tags)) + end;
}

Result<std::string> CallWriter::tagged_call(const Tool& tool, const Tags& tags) {
  std::string call = q(tags.open + tool.name + tags.name_close);
  const json::object* root = tool.parameters.if_object();
  const json::value* properties = root == nullptr ? nullptr : root->if_contains("properties");
  const json::value* required = root == nullptr ? nullptr : root->if_contains("required");
  if (properties != nullptr && properties->is_object()) {
    for (const auto& [key, schema] : properties->get_object()) {
      const std::string one = TRY(argument(tool, tags, key, schema));
      const json::value name = json::string(key);
      const bool needed = required != nullptr && required->is_array() &&
                          std::find(required->get_array().begin(), required->get_array().end(),
                                    name) != required->get_array().end();
      call += needed ? " " + one : " ( " + one + " )?";
    }
  }
  const std::string line = format_ == ToolFormat::glm ? " " + q("\n") + "?" : "";
  return call + line + " " + q(tags.close);
}

Result<std::vector<Tool>> tools_of(const json::array& tools, std::string_view wanted) {
  std::vector<Tool> found;
  std::string names;
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const json::object* function = reply::function_of(tools[i]);
    if (function == nullptr)
      return Error(Errc::invalid_argument, fmt::format("tools[{}].function.name is missing", i));
    Tool tool{.name = std::string(function->at("name").get_string())};
    names += (names.empty() ? "" : ", ") + tool.name;
    if (tool.name.size() > reply::kNameBytesMax ||
        tool.name.find_first_of("<>{}[]\"\\ \t\r\n") != tool.name.npos)
      return Error(
          Errc::invalid_argument,
          fmt::format("tools[{}].function.name is {}; use up to {} letters, digits, _ and -", i,
                      json::serialize(tool.name), reply::kNameBytesMax));
    const json::value* parameters = function->if_contains("parameters");
    tool.parameters = parameters == nullptr || parameters->is_null()
                          ? json::value(json::object{{"type", "object"}})
                          : *parameters;
    if (wanted.empty() || tool.name == wanted) found.push_back(std::move(tool));
  }
  if (found.empty())
    return Error(Errc::not_found, wanted.empty()
                                      ? "a tool call is required, but there are no tools"
                                      : fmt::format("tool_choice names {}, but the tools are: {}",
                                                    wanted, names.empty() ? "none" : names));
  return found;
}

// What may stand before the calls; empty: nothing.
std::string reasoning(reply::GbnfWriter& rules, const ReplyFormat& format,
                      const ToolGrammarOptions& options) {
  if (format.tools == ToolFormat::harmony && options.reasoning_allowed)
    return "( " + q("<|channel|>analysis<|message|>") + " " + rules.text_and_mark("<|end|>") + " " +
           q("<|start|>assistant") + " )? ";
  if (format.reasoning.open.empty()) return "";
  const auto thought = [&] { return rules.text_and_mark(format.reasoning.close) + " [\\n]{0,2} "; };
  if (options.reasoning_open) return thought();
  if (!options.reasoning_allowed) return "";
  return "( " + q("\n") + "? " + q(format.reasoning.open) + " " + thought() + ")? ";
}

}  // namespace

Result<ToolGrammar> tool_grammar(const ReplyFormat& format, const json::array& tools,
                                 const ToolGrammarOptions& options) {
  if (format.tools == ToolFormat::none)
    return Error(Errc::unsupported,
                 "this model's chat template has no tool calls, so none can be required of it");
  const std::vector<Tool> wanted = TRY(tools_of(tools, options.function));
  CallWriter calls(format.tools, tools);
  std::string any;
  for (const Tool& tool : wanted) {
    const std::string one = TRY(calls.call(tool));
    any += (any.empty() ? "" : " | ") + calls.rules().rule("call", one);
  }
  const std::string call = calls.rules().rule("any-call", any);
  const Frame frame = frame_of(format.tools);
  std::string root = reasoning(calls.rules(), format, options);
  if (format.tools == ToolFormat::glm) root += q("\n") + "? ";
  if (!frame.open.empty()) root += q(frame.open) + " ";
  root += call;
  // gpt-oss ends its turn with each call.
  if (options.parallel && format.tools != ToolFormat::harmony)
    root += frame.separator.empty() ? " ( " + call + " )*"
                                    : " ( " + q(frame.separator) + " " + call + " )*";
  if (!frame.close.empty()) root += " " + q(frame.close);
  return std::move(calls.rules()).finish(root);
}

}  // namespace drystone

#include "serve/toolcall/reply_format.h"

#include <algorithm>
#include <array>
#include <utility>

namespace drystone {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kReasoningMarks = {{
    {"<think>", "</think>"},
    {"[THINK]", "[/THINK]"},                     // Magistral
    {"<seed:think>", "</seed:think>"},           // Seed-OSS
    {"<|START_THINKING|>", "<|END_THINKING|>"},  // Command
}};

ToolFormat tools_of_template(std::string_view source) {
  const auto has = [&](std::string_view text) { return source.find(text) != source.npos; };
  // From the unmistakable to what several share: Qwen3-Coder and GLM also write <tool_call>.
  if (has("<|channel|>") && has("<|message|>")) return ToolFormat::harmony;
  if (has("<minimax:tool_call>")) return ToolFormat::minimax_m2;
  if (has("<|tool_calls_section_begin|>")) return ToolFormat::kimi_k2;
  if (has("<｜tool▁calls▁begin｜>"))
    return has("```json") ? ToolFormat::deepseek_r1 : ToolFormat::deepseek_v3_1;
  if (has("[TOOL_CALLS]"))
    return has("[ARGS]") ? ToolFormat::mistral_args : ToolFormat::mistral_array;
  if (has("<arg_key>")) return ToolFormat::glm;
  if (has("<function=") && has("<parameter=")) return ToolFormat::qwen3_coder;
  if (has("<tool_call>")) return ToolFormat::hermes;
  if (has("<|python_tag|>") || (has("<|start_header_id|>") && has("\"parameters\": ")))
    return ToolFormat::llama3;
  return ToolFormat::none;
}

// Only architectures whose models all speak one format.
ToolFormat tools_of_architecture(std::string_view architecture) {
  if (architecture == "gpt-oss") return ToolFormat::harmony;
  if (architecture == "minimax-m2") return ToolFormat::minimax_m2;
  if (architecture == "glm4moe") return ToolFormat::glm;
  return ToolFormat::none;
}

ReasoningMarks reasoning_of_template(std::string_view source) {
  for (const auto& [open, close] : kReasoningMarks)
    if (source.find(close) != source.npos) return {std::string(open), std::string(close)};
  return {};
}

std::vector<std::string> tool_marks(ToolFormat format) {
  switch (format) {
    case ToolFormat::none:
      return {};
    case ToolFormat::hermes:
    case ToolFormat::qwen3_coder:
      return {"<tool_call>", "</tool_call>"};
    case ToolFormat::glm:
      return {"<tool_call>", "</tool_call>", "<arg_key>",
              "</arg_key>",  "<arg_value>",  "</arg_value>"};
    case ToolFormat::llama3:
      return {"<|python_tag|>"};
    case ToolFormat::mistral_array:
    case ToolFormat::mistral_args:
      return {"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"};
    case ToolFormat::deepseek_r1:
    case ToolFormat::deepseek_v3_1:
      return {"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>",
              "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"};
    case ToolFormat::kimi_k2:
      return {"<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
              "<|tool_call_end|>", "<|tool_calls_section_end|>"};
    case ToolFormat::minimax_m2:
      return {"<minimax:tool_call>", "</minimax:tool_call>"};
    case ToolFormat::harmony:
      return {"<|start|>", "<|channel|>", "<|constrain|>", "<|message|>",
              "<|end|>",   "<|call|>",    "<|return|>"};
  }
  return {};
}

}  // namespace

std::string_view to_string(ToolFormat format) {
  switch (format) {
    case ToolFormat::none:
      return "none";
    case ToolFormat::hermes:
      return "hermes";
    case ToolFormat::qwen3_coder:
      return "qwen3_coder";
    case ToolFormat::llama3:
      return "llama3";
    case ToolFormat::mistral_array:
      return "mistral_array";
    case ToolFormat::mistral_args:
      return "mistral_args";
    case ToolFormat::deepseek_r1:
      return "deepseek_r1";
    case ToolFormat::deepseek_v3_1:
      return "deepseek_v3_1";
    case ToolFormat::kimi_k2:
      return "kimi_k2";
    case ToolFormat::glm:
      return "glm";
    case ToolFormat::minimax_m2:
      return "minimax_m2";
    case ToolFormat::harmony:
      return "harmony";
  }
  return "unknown";
}

ReplyFormat detect_format(std::string_view template_source, std::string_view architecture) {
  ReplyFormat format;
  format.tools = template_source.empty() ? tools_of_architecture(architecture)
                                         : tools_of_template(template_source);
  if (format.tools != ToolFormat::harmony)
    format.reasoning = reasoning_of_template(template_source);
  return format;
}

std::vector<std::string> visible_marks(const ReplyFormat& format) {
  std::vector<std::string> marks = tool_marks(format.tools);
  if (!format.reasoning.open.empty()) {
    marks.push_back(format.reasoning.open);
    marks.push_back(format.reasoning.close);
  }
  return marks;
}

bool prompt_opens_reasoning(const ReplyFormat& format, std::string_view prompt_end) {
  if (format.reasoning.open.empty()) return false;
  const std::size_t last = prompt_end.find_last_not_of(" \t\r\n");
  return last != prompt_end.npos && prompt_end.substr(0, last + 1).ends_with(format.reasoning.open);
}

}  // namespace drystone

#include "serve/api/openai/openai_messages.h"

#include <fmt/format.h>

#include "serve/api/answer/request_body.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::string_view kRoles = "'system', 'developer', 'user', 'assistant' or 'tool'";
constexpr std::size_t kQuotedBytesMax = 64;  // of what the client sent, in our messages

std::string quoted(std::string_view text) {
  return text.size() > kQuotedBytesMax ? fmt::format("a text of {} bytes", text.size())
                                       : fmt::format("'{}'", text);
}

// [{"type": "text", "text": ...}, ...] as one text, a line break between two parts.
std::string join_parts(const json::array& parts, const std::string& path, RequestFields& errors,
                       std::vector<std::string>& ignored) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name = fmt::format("{}[{}]", path, i);
    if (!parts[i].is_object())
      return errors.wrong_kind(name, "an object with 'type' and 'text'", parts[i]), "";
    RequestFields part(parts[i].get_object(), name + ".");
    std::string type, part_text;
    part.string("type", type);
    if (part.ok() && type != "text" && type != "refusal")
      part.fail("type",
                fmt::format("'{}.type' is {}; this server reads parts of type 'text' only.", name,
                            quoted(type)),
                "unsupported_content");
    const std::string_view key = type == "refusal" ? "refusal" : "text";
    if (part.ok() && part.find(key) == nullptr)
      part.fail(key, fmt::format("'{}.{}' is missing.", name, key));
    part.string(key, part_text);
    part.accept({"annotations", "logprobs", "cache_control"});
    if (part.error()) return errors.fail(*part.error()), "";
    note_unknown(part, name + ".", "messages.content", ignored);
    if (i > 0) text += '\n';
    text += part_text;
  }
  return text;
}

// The API carries arguments as JSON in a string; templates written for Transformers expect the
// object.
json::array read_tool_calls(const json::array& calls) {
  json::array out = calls;
  for (json::value& call : out) {
    json::object* object = call.if_object();
    json::value* function = object == nullptr ? nullptr : object->if_contains("function");
    if (function == nullptr || !function->is_object()) continue;
    json::value* arguments = function->get_object().if_contains("arguments");
    if (arguments == nullptr || !arguments->is_string()) continue;
    json::error_code error;
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    json::value parsed = json::parse(arguments->get_string(), error, {}, options);
    if (!error && parsed.is_object()) *arguments = std::move(parsed);
  }
  return out;
}

json::object read_message(const json::object& source, const std::string& path,
                          RequestFields& errors, std::vector<std::string>& ignored) {
  RequestFields message(source, path + ".");
  json::object out;
  std::string role, content;
  message.string("role", role);
  if (message.ok() && role == "developer") role = "system";
  if (message.ok() && role != "system" && role != "user" && role != "assistant" && role != "tool")
    message.fail("role",
                 role.empty()
                     ? fmt::format("'{}.role' is missing; it must be {}.", path, kRoles)
                     : fmt::format("'{}.role' must be {}, but is {}.", path, kRoles, quoted(role)),
                 "invalid_value");
  out["role"] = role;

  const json::value* found = message.find("content");
  const json::array* calls = message.array("tool_calls");
  std::string refusal;  // what an assistant said instead of a content
  message.string("refusal", refusal);
  if (found == nullptr && message.ok() &&
      (role != "assistant" || (calls == nullptr && message.find("refusal") == nullptr)))
    message.fail("content", fmt::format("'{}.content' is missing.", path));
  if (found != nullptr && found->is_string())
    content = found->get_string();
  else if (found != nullptr && found->is_array())
    content = join_parts(found->get_array(), path + ".content", message, ignored);
  else if (found != nullptr)
    message.wrong_kind("content", "a string or an array of text parts", *found);
  out["content"] = content.empty() ? refusal : content;
  if (calls != nullptr && !calls->empty()) out["tool_calls"] = read_tool_calls(*calls);

  for (const std::string_view key : {"name", "tool_call_id", "reasoning_content"}) {
    std::string text;
    message.string(key, text);
    if (message.find(key) != nullptr) out[key] = text;
  }
  std::string reasoning;  // another name for it
  message.string("reasoning", reasoning);
  if (!reasoning.empty() && !out.contains("reasoning_content"))
    out["reasoning_content"] = reasoning;
  for (const std::string_view name : {"prefix", "partial"})
    message.refuse(name, "the answer is a new message");
  message.refuse("images", "this server reads text only");
  message.refuse("audio", "this server reads and writes text only");
  message.refuse("function_call", "functions were replaced by tools; send 'tool_calls'");
  message.accept({"annotations", "cache_control"});
  if (message.error()) errors.fail(*message.error());
  note_unknown(message, path + ".", "messages", ignored);
  return out;
}

}  // namespace

json::array read_messages(RequestFields& fields, std::vector<std::string>& ignored) {
  json::array out;
  const json::array* messages = fields.array("messages");
  if (!fields.ok()) return out;
  if (messages == nullptr || messages->empty())
    return fields.fail("messages", "'messages' must be an array of at least one message."), out;
  if (messages->size() > kMessagesMax)
    return fields.fail("messages", fmt::format("'messages' has {} messages; at most {} are read.",
                                               messages->size(), kMessagesMax)),
           out;
  out.reserve(messages->size());
  for (std::size_t i = 0; i < messages->size() && fields.ok(); ++i) {
    const std::string path = fmt::format("messages[{}]", i);
    if (const json::object* message = (*messages)[i].if_object())
      out.push_back(read_message(*message, path, fields, ignored));
    else
      fields.wrong_kind(path, "an object with 'role' and 'content'", (*messages)[i]);
  }
  return out;
}

}  // namespace drystone

#include "serve/api/openai/openai_response_items.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/api/answer/request_body.h"
#include "serve/api/openai/openai_responses.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

// What the readers of one item of `input` share.
struct ItemContext {
  std::string path;  // of the item: "input[3]"
  std::vector<std::string>& ignored;
};

// [{"type": "input_text", "text": ...}, ...] or a string, as one text.
std::string read_text(RequestFields& item, std::string_view key, const ItemContext& context) {
  const std::string path = fmt::format("{}.{}", context.path, key);
  const json::value* content = item.find(key);
  if (content == nullptr) return item.fail(key, fmt::format("'{}' is missing.", path)), "";
  if (content->is_string()) return std::string(content->get_string());
  if (!content->is_array())
    return item.wrong_kind(key, "a string or an array of text parts", *content), "";
  std::string text;
  const json::array& parts = content->get_array();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name = fmt::format("{}[{}]", path, i);
    if (!parts[i].is_object()) return item.wrong_kind(key, "an array of text parts", *content), "";
    RequestFields part(parts[i].get_object(), name + ".");
    std::string type, piece;
    part.string("type", type);
    const bool known = type == "input_text" || type == "output_text" || type == "text" ||
                       type == "reasoning_text" || type == "summary_text" || type == "refusal";
    if (part.ok() && !known)
      part.fail("type", fmt::format("'{}' is no text; this server reads text only.", name),
                "unsupported_content");
    part.string(type == "refusal" ? "refusal" : "text", piece);
    part.accept({"annotations", "logprobs", "cache_control"});
    if (part.error()) return item.fail(*part.error()), "";
    note_unknown(part, name + ".", "input.content", context.ignored);
    if (!text.empty()) text += '\n';
    text += piece;
  }
  return text;
}

void read_message(RequestFields& item, ConversationBuilder& out, const ItemContext& context) {
  std::string role;
  item.string("role", role);
  item.accept({"phase"});  // Codex's: where in its turn a message stands
  const std::string text = read_text(item, "content", context);
  if (!item.ok()) return;
  if (role == "system" || role == "developer")
    out.add_system(text);
  else if (role == "user")
    out.add_user(text);
  else if (role == "assistant")
    out.add_assistant_text(text);
  else
    item.fail("role",
              fmt::format("'{}.role' must be 'user', 'assistant', 'system' or 'developer'.",
                          context.path),
              "invalid_value");
}

void read_call(RequestFields& item, ConversationBuilder& out, const ItemContext& context) {
  std::string id, name, arguments;
  item.string("call_id", id);
  item.string("name", name);
  item.string("arguments", arguments);
  if (item.ok() && name.empty())
    item.fail("name", fmt::format("'{}.name' is missing.", context.path));
  if (item.ok()) out.add_call(id, name, arguments_value(arguments));
}

// A call to a tool with text for arguments, or to OpenAI's shell: as calls of functions.
void read_other_call(RequestFields& item, std::string_view type, ConversationBuilder& out) {
  std::string id, name = "local_shell", input;
  item.string("call_id", id);
  if (type == "local_shell_call") {
    const json::object* action = item.object("action");
    if (item.ok()) out.add_call(id, name, action == nullptr ? json::object{} : *action);
    return;
  }
  item.string("name", name);
  item.string("input", input);
  if (item.ok()) out.add_call(id, name, json::object{{"input", input}});
}

void read_reasoning(RequestFields& item, ConversationBuilder& out, const ItemContext& context) {
  std::string text, sealed;
  item.string("encrypted_content", sealed);
  const json::array* content = item.array("content");
  const json::array* summary = item.array("summary");
  if (content != nullptr && !content->empty())
    text = read_text(item, "content", context);
  else if (summary != nullptr && !summary->empty())
    text = read_text(item, "summary", context);
  // What others have sealed nobody here can read.
  else if (sealed.starts_with(kSealPrefix))
    text = sealed.substr(kSealPrefix.size());
  if (item.ok() && !text.empty()) out.add_reasoning(text);
}

// Of tools that OpenAI's machines ran: the conversation goes on without them.
constexpr std::string_view kForeignItems[] = {
    "web_search_call", "file_search_call", "image_generation_call", "code_interpreter_call",
    "computer_call",   "mcp_list_tools",   "tool_search_call",      "tool_search_output"};

void read_item(const json::value& value, const std::string& path, ConversationBuilder& out,
               RequestFields& errors, std::vector<std::string>& ignored) {
  if (!value.is_object()) return errors.wrong_kind(path, "an object", value);
  RequestFields item(value.get_object(), path + ".");
  const ItemContext context{path, ignored};
  std::string type = "message";
  item.string("type", type);
  item.accept({"id", "status"});
  if (!item.ok()) {
  } else if (type == "message") {
    read_message(item, out, context);
  } else if (type == "function_call") {
    read_call(item, out, context);
  } else if (type == "custom_tool_call" || type == "local_shell_call") {
    read_other_call(item, type, out);
  } else if (type == "function_call_output" || type == "custom_tool_call_output" ||
             type == "local_shell_call_output") {
    std::string id;
    item.string("call_id", id);
    const std::string text = read_text(item, "output", context);
    if (item.ok()) out.add_result(id, "", text);
  } else if (type == "reasoning") {
    read_reasoning(item, out, context);
  } else if (std::ranges::find(kForeignItems, type) != std::end(kForeignItems)) {
    return note_ignored("input." + type, ignored);
  } else {
    item.fail("type",
              fmt::format("'{}.type' must be \"message\", \"function_call\", "
                          "\"function_call_output\" or \"reasoning\"; there is no such item here.",
                          path),
              "unsupported_content");
  }
  if (item.error()) return errors.fail(*item.error());
  note_unknown(item, path + ".", "input", ignored);
}

}  // namespace

void read_response_input(RequestFields& fields, ConversationBuilder& out,
                         std::vector<std::string>& ignored) {
  const json::value* input = fields.find("input");
  if (input == nullptr) return fields.fail("input", "'input' is missing.");
  if (input->is_string()) return out.add_user(input->get_string());
  if (!input->is_array())
    return fields.wrong_kind("input", "a string or an array of items", *input);
  const json::array& items = input->get_array();
  if (items.empty() || items.size() > kMessagesMax)
    return fields.fail("input", fmt::format("'input' has {} items; 1 to {} are read.", items.size(),
                                            kMessagesMax));
  for (std::size_t i = 0; i < items.size() && fields.ok(); ++i)
    read_item(items[i], fmt::format("input[{}]", i), out, fields, ignored);
}

}  // namespace drystone

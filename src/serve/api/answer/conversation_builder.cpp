#include "serve/api/answer/conversation_builder.h"

#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

bool has_role(const json::value& message, std::string_view role) {
  return message.at("role") == json::value(role);
}

void append(json::object& message, std::string_view key, std::string_view text,
            std::string_view between) {
  json::value& value = message[key];
  if (!value.is_string()) value.emplace_string();
  json::string& all = value.get_string();
  if (!all.empty()) all += between;
  all += text;
}

}  // namespace

void ConversationBuilder::add_system(std::string_view text) {
  if (messages_.size() == 1 && has_role(messages_[0], "system"))
    append(messages_[0].get_object(), "content", text, "\n\n");
  else
    messages_.push_back({{"role", "system"}, {"content", text}});
}

void ConversationBuilder::add_user(std::string_view text) {
  messages_.push_back({{"role", "user"}, {"content", text}});
}

json::object& ConversationBuilder::assistant() {
  if (messages_.empty() || !has_role(messages_.back(), "assistant"))
    messages_.push_back({{"role", "assistant"}, {"content", ""}});
  return messages_.back().get_object();
}

void ConversationBuilder::add_assistant_text(std::string_view text) {
  append(assistant(), "content", text, "\n");
}

void ConversationBuilder::add_reasoning(std::string_view text) {
  append(assistant(), "reasoning_content", text, "\n");
}

void ConversationBuilder::add_call(std::string_view id, std::string_view name,
                                   json::value arguments) {
  json::value& calls = assistant()["tool_calls"];
  if (!calls.is_array()) calls.emplace_array();
  calls.get_array().push_back(
      {{"id", id},
       {"type", "function"},
       {"function", {{"name", name}, {"arguments", std::move(arguments)}}}});
}

void ConversationBuilder::add_result(std::string_view id, std::string_view name,
                                     std::string_view text) {
  json::object message = {{"role", "tool"}, {"content", text}};
  if (!id.empty()) message["tool_call_id"] = id;
  if (!name.empty()) message["name"] = name;
  messages_.push_back(std::move(message));
}

json::value arguments_value(std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::value parsed = json::parse(text, error, {}, options);
  return !error && parsed.is_object() ? parsed : json::value(text);
}

}  // namespace drystone

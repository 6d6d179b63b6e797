#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "serve/toolcall/template_habits.h"

namespace drystone {
namespace json = boost::json;

namespace {

json::array* calls_of(json::object& message) {
  json::value* calls = message.if_contains("tool_calls");
  return calls == nullptr ? nullptr : calls->if_array();
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
}

// The text of an array of text parts; nothing: it has other parts, which only the template knows.
std::optional<std::string> text_of_parts(const json::array& parts) {
  std::string text;
  for (const json::value& part : parts) {
    const json::object* object = part.if_object();
    if (object == nullptr || text_at(*object, "type") != "text") return std::nullopt;
    text += text_at(*object, "text");
  }
  return text;
}

// 9 letters and digits that are the same for the same id.
std::string short_id(std::string_view id) {
  const bool fits = id.size() == 9 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0;
                    });
  if (fits) return std::string(id);
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const unsigned char c : id) hash = (hash ^ c) * 0x100000001b3;
  std::string text;
  for (int i = 0; i < 9; ++i, hash /= 36) text += "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 36];
  return text;
}

class Converter {
 public:
  explicit Converter(const TemplateHabits& habits) : habits_(habits) {}

  Result<void> convert(json::object& message, std::size_t index) {
    json::value* content = message.if_contains("content");
    if (content != nullptr && content->is_array()) {
      std::optional<std::string> text = text_of_parts(content->get_array());
      if (text) *content = *text;
    }
    const std::string role(text_at(message, "role"));
    if (role == "developer" && !habits_.knows_developer) message["role"] = "system";
    if (role == "tool") convert_result(message);
    if (role != "assistant") return {};
    json::array* calls = calls_of(message);
    const bool has_calls = calls != nullptr && !calls->empty();
    // Templates ask whether the key is there, not what it holds.
    if (!has_calls) message.erase("tool_calls");
    if (has_calls) TRY(convert_calls(*calls, index));
    convert_texts(message, has_calls);
    return {};
  }

 private:
  Result<void> convert_calls(json::array& calls, std::size_t index);
  Result<void> convert_arguments(json::object& function, const std::string& place) const;
  void convert_result(json::object& message);
  void convert_texts(json::object& message, bool has_calls) const;

  const TemplateHabits& habits_;
  std::map<std::string, std::string, std::less<>> names_;  // of the tools, by call id
};

Result<void> Converter::convert_calls(json::array& calls, std::size_t index) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::string place = fmt::format("messages[{}].tool_calls[{}]", index, i);
    json::object* call = calls[i].if_object();
    json::value* function = call == nullptr ? nullptr : call->if_contains("function");
    if (function == nullptr || !function->is_object() ||
        text_at(function->get_object(), "name").empty())
      return Error(
          Errc::invalid_argument,
          place +
              ".function has no name; a call of an assistant is "
              R"({"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}})");
    names_[std::string(text_at(*call, "id"))] = text_at(function->get_object(), "name");
    TRY(convert_arguments(function->get_object(), place + ".function.arguments"));
    if (habits_.short_ids) (*call)["id"] = short_id(text_at(*call, "id"));  // `function` may move
  }
  return {};
}

Result<void> Converter::convert_arguments(json::object& function, const std::string& place) const {
  json::value& arguments = function["arguments"];  // null where there are none
  if (const json::string* text = arguments.if_string()) {
    boost::system::error_code failed;
    json::value parsed =
        text->empty() ? json::value(nullptr) : json::parse(*text, failed, {}, {.max_depth = 256});
    if (failed)
      return Error(Errc::invalid_argument,
                   fmt::format("{} is not a JSON object: {}; send back what the model wrote, whole",
                               place, failed.message()));
    arguments = std::move(parsed);
  }
  if (arguments.is_null()) arguments = json::object();
  if (!arguments.is_object())
    return Error(Errc::invalid_argument,
                 fmt::format("{} is not a JSON object but {}", place, json::serialize(arguments)));
  if (!habits_.arguments_as_object) arguments = json::serialize(arguments);
  return {};
}

void Converter::convert_result(json::object& message) {
  const std::string id(text_at(message, "tool_call_id"));
  const auto name = names_.find(id);
  if (name != names_.end() && text_at(message, "name").empty()) message["name"] = name->second;
  if (habits_.short_ids) message["tool_call_id"] = short_id(id);
  if (const json::value* content = message.if_contains("content");
      content == nullptr || content->is_null())
    message["content"] = "";
}

void Converter::convert_texts(json::object& message, bool has_calls) const {
  std::string reasoning(text_at(message, "reasoning_content"));
  if (reasoning.empty()) reasoning = text_at(message, "reasoning");
  message.erase("reasoning_content");
  message.erase("reasoning");
  std::string content(text_at(message, "content"));
  if (has_calls && habits_.reasoning_excludes_content && !reasoning.empty() && !content.empty()) {
    reasoning += "\n\n" + content;  // what it said before the call is part of why it called
    content.clear();
    message["content"] = "";
  }
  if (!reasoning.empty() && !habits_.reasoning_key.empty())
    message[habits_.reasoning_key] = reasoning;
  const json::value* given = message.if_contains("content");
  const bool other = given != nullptr && !given->is_string() && !given->is_null();
  if (!content.empty() || other) return;
  message["content"] =
      has_calls && habits_.content_null_with_calls ? json::value(nullptr) : json::value("");
}

// A message for each of several calls, each followed by its result.
void append_one_by_one(json::array& out, const json::object& message, json::array results) {
  const json::array& calls = message.at("tool_calls").get_array();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    json::object one = message;
    one["tool_calls"] = json::array{calls[i]};
    if (i > 0) {
      one["content"] = message.at("content").is_null() ? json::value(nullptr) : json::value("");
      for (const std::string_view key : {"reasoning_content", "thinking", "reasoning"})
        one.erase(key);
    }
    out.push_back(std::move(one));
    const std::string_view id = text_at(calls[i].get_object(), "id");
    for (json::value& result : results) {
      if (!result.is_object() || text_at(result.get_object(), "tool_call_id") != id) continue;
      out.push_back(std::move(result));
      result = nullptr;
    }
  }
  for (json::value& result : results)
    if (result.is_object()) out.push_back(std::move(result));
}

bool is_result(const json::value& message) {
  return message.is_object() && text_at(message.get_object(), "role") == "tool";
}

json::array with_single_calls(json::array messages) {
  json::array out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    json::object* message = messages[i].if_object();
    const json::array* calls = message == nullptr ? nullptr : calls_of(*message);
    if (calls == nullptr || calls->size() < 2) {
      out.push_back(std::move(messages[i]));
      continue;
    }
    json::array results;
    while (i + 1 < messages.size() && is_result(messages[i + 1]))
      results.push_back(std::move(messages[++i]));
    append_one_by_one(out, *message, std::move(results));
  }
  return out;
}

}  // namespace

Result<json::array> template_messages(const json::array& messages, const TemplateHabits& habits) {
  Converter converter(habits);
  json::array out = messages;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (json::object* message = out[i].if_object()) TRY(converter.convert(*message, i));
  return habits.one_call_per_message ? with_single_calls(std::move(out)) : std::move(out);
}

}  // namespace drystone

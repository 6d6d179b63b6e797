#include "serve/api/answer/tool_request.h"

#include <algorithm>

namespace drystone {
namespace json = boost::json;

using Kind = ToolChoice::Kind;

std::string_view tool_name(const json::value& tool) {
  const json::object* object = tool.if_object();
  const json::value* function = object == nullptr ? nullptr : object->if_contains("function");
  const json::value* name = function == nullptr || !function->is_object()
                                ? nullptr
                                : function->get_object().if_contains("name");
  return name == nullptr || !name->is_string() ? std::string_view() : name->get_string();
}

json::object function_tool(std::string_view name, std::string_view description,
                           const json::value& parameters) {
  json::object function = {{"name", name}};
  if (!description.empty()) function["description"] = description;
  function["parameters"] = parameters.is_null()
                               ? json::value{{"type", "object"}, {"properties", json::object{}}}
                               : parameters;
  return {{"type", "function"}, {"function", std::move(function)}};
}

void check_tool_choice(RequestFields& fields, ChatRequest& request) {
  const ToolChoice& choice = request.tool_choice;
  if (choice.kind == Kind::none) return request.tools.clear();
  if (choice.kind == Kind::required && request.tools.empty())
    return fields.fail("tool_choice", "'tool_choice' requires a call, but there are no 'tools'.",
                       "invalid_value");
  if (choice.kind == Kind::named &&
      std::none_of(request.tools.begin(), request.tools.end(),
                   [&](const json::value& tool) { return tool_name(tool) == choice.name; }))
    fields.fail("tool_choice", "'tool_choice' names a function that is not among 'tools'.",
                "invalid_value");
}

}  // namespace drystone

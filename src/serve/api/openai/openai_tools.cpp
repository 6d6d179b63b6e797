#include "serve/api/openai/openai_tools.h"

#include <fmt/format.h>

#include "serve/api/answer/request_body.h"
#include "serve/api/answer/tool_request.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

using Kind = ToolChoice::Kind;

void read_tool(RequestFields& fields, const json::value& tool, std::size_t index,
               json::array& out) {
  const std::string path = fmt::format("tools[{}]", index);
  if (!tool.is_object()) return fields.wrong_kind(path, "an object", tool);
  RequestFields own(tool.get_object(), path + ".");
  std::string type = "function";
  own.string("type", type);
  if (own.ok() && type != "function")
    own.fail("type",
             fmt::format("'{}.type' must be \"function\": this server runs no tools itself.", path),
             "unsupported_parameter");
  const json::object* function = own.object("function");
  if (own.ok() && (function == nullptr || tool_name(tool).empty()))
    own.fail("function", fmt::format("'{}.function.name' is missing.", path));
  if (own.error()) return fields.fail(*own.error());
  out.push_back(tool);  // as it is: the template may read more of it than we do
}

void read_tool_choice(RequestFields& fields, ToolChoice& out) {
  const json::value* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == json::value("auto")) return;
  if (*choice == json::value("none")) {
    out.kind = Kind::none;
  } else if (*choice == json::value("required")) {
    out.kind = Kind::required;
  } else if (!tool_name(*choice).empty()) {
    RequestFields named(choice->get_object(), "tool_choice.");
    std::string type = "function", name;
    named.string("type", type);
    RequestFields function(*named.object("function"), "tool_choice.function.");
    function.string("name", name);
    refuse_unknown(function);
    if (function.error()) named.fail(*function.error());
    if (named.ok() && type != "function")
      named.fail("type", "'tool_choice.type' must be \"function\".", "unsupported_parameter");
    refuse_unknown(named);
    if (named.error()) return fields.fail(*named.error());
    out = {.kind = Kind::named, .name = std::move(name)};
  } else {
    fields.fail("tool_choice",
                "'tool_choice' must be \"auto\", \"none\", \"required\" or {\"type\": "
                "\"function\", \"function\": {\"name\": ...}}.",
                "invalid_value");
  }
}

}  // namespace

void read_tools(RequestFields& fields, ChatRequest& request) {
  if (const json::array* tools = fields.array("tools")) {
    if (tools->size() > kToolsMax)
      return fields.fail("tools", fmt::format("'tools' has {} entries; at most {} are accepted.",
                                              tools->size(), kToolsMax));
    for (std::size_t i = 0; i < tools->size() && fields.ok(); ++i)
      read_tool(fields, (*tools)[i], i, request.tools);
  }
  fields.boolean("parallel_tool_calls", request.parallel_tool_calls);
  read_tool_choice(fields, request.tool_choice);
  if (fields.ok()) check_tool_choice(fields, request);
}

}  // namespace drystone

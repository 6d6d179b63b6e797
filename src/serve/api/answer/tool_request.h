#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "serve/http/chat_request.h"
#include "serve/http/request_fields.h"

namespace drystone {

// The name within {"type": "function", "function": {"name": ...}}; "" where there is none.
std::string_view tool_name(const boost::json::value& tool);

// A function as OpenAI's chats write it.
boost::json::object function_tool(std::string_view name, std::string_view description,
                                  const boost::json::value& parameters);

// A named tool must be one of `request.tools`; without tools nothing can be required. With "none"
// the tools go away.
void check_tool_choice(RequestFields& fields, ChatRequest& request);

}  // namespace drystone

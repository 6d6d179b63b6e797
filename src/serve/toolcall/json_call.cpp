#include <boost/json.hpp>

#include "serve/toolcall/reply_context.h"

namespace drystone::reply {
namespace json = boost::json;

namespace {

// A call's members as far as they are read.
struct Members {
  std::string name, id;
  std::string arguments;  // that came before the name
  bool arguments_seen = false;
  bool begun = false;
};

std::optional<std::string> string_of(const std::string& text) {
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed);
  if (failed || !value.is_string()) return std::nullopt;
  return std::string(value.get_string());
}

// Models that learned from API transcripts write the arguments as a string that holds JSON.
std::optional<std::string> object_in_string(const std::string& text) {
  std::optional<std::string> inner = string_of(text);
  boost::system::error_code failed;
  if (!inner || !json::parse(*inner, failed, {}, {.max_depth = 256}).is_object() || failed)
    return std::nullopt;
  return inner;
}

void begin(ReplyContext& reply, Members& call) {
  reply.in.release();
  reply.out.begin_call(call.name, call.id);
  call.begun = true;
}

Parse<std::optional<std::string>> read_string(ReplyReader& in) {
  const std::optional<std::string> text = co_await json_value(in, 6 * kNameBytesMax);
  if (!text) co_return std::nullopt;
  co_return string_of(*text);
}

Parse<bool> read_arguments(ReplyContext& reply, Members& call) {
  if (call.arguments_seen) co_return false;
  call.arguments_seen = true;
  const std::optional<char> first = co_await peek_solid(reply.in);
  if (!first) co_return false;
  if (*first == '{' && !call.name.empty()) {
    begin(reply, call);
    const TextSink sink = [&](std::string_view text) { reply.out.arguments(text); };
    const bool whole = co_await stream_json(reply.in, sink);
    co_return whole;
  }
  std::optional<std::string> value = co_await json_value(reply.in, kHeldBytesMax);
  if (!value) co_return false;
  if (*first == '"') value = object_in_string(*value);
  if (*first == 'n') value = "{}";
  if (!value || value->front() != '{') co_return false;
  call.arguments = *std::move(value);
  if (call.name.empty()) co_return true;
  begin(reply, call);
  reply.out.arguments(call.arguments);
  co_return true;
}

// False: this is no call, or (once it has begun) the call ends here.
Parse<bool> read_member(ReplyContext& reply, Members& call, JsonCallRules rules) {
  ReplyReader& in = reply.in;
  const std::optional<std::string> key = co_await read_string(in);
  if (!key) co_return false;
  const bool colon = co_await spaced_literal(in, ":");
  if (!colon) co_return false;
  co_await peek_solid(in);

  if (*key == "arguments" || *key == "parameters") {
    const bool read = co_await read_arguments(reply, call);
    co_return read;
  }
  if ((*key == "name" || *key == "id") && !call.begun) {
    const std::optional<std::string> value = co_await read_string(in);
    if (!value || value->size() > kNameBytesMax) co_return false;
    if (*key == "id") {
      call.id = *value;
      co_return true;
    }
    if (value->empty() || !call.name.empty()) co_return false;
    if (rules.known_only && !reply.tools.knows(*value)) co_return false;
    call.name = *value;
    if (call.arguments_seen) {
      begin(reply, call);
      reply.out.arguments(call.arguments);
    }
    co_return true;
  }
  if (rules.strict_keys && !call.begun && *key != "type") co_return false;
  const std::optional<std::string> other = co_await json_value(in, kHeldBytesMax);
  co_return other.has_value();
}

Parse<bool> read_members(ReplyContext& reply, Members& call, JsonCallRules rules) {
  const bool open = co_await literal(reply.in, "{");
  if (!open) co_return false;
  while (true) {
    co_await peek_solid(reply.in);
    const bool member = co_await read_member(reply, call, rules);
    if (!member) co_return false;
    const std::optional<char> next = co_await peek_solid(reply.in);
    if (next != ',' && next != '}') co_return false;
    reply.in.consume(1);
    if (next == '}') co_return true;
  }
}

}  // namespace

Parse<JsonCall> read_json_call(ReplyContext& reply, JsonCallRules rules) {
  Members call;
  const bool whole = co_await read_members(reply, call, rules);
  if (call.begun) co_return whole ? JsonCall::whole : JsonCall::broken;
  if (!call.name.empty() && reply.in.cut_off()) {  // in front of its arguments
    begin(reply, call);
    co_return JsonCall::broken;
  }
  // Only {"name": ...}: a call without arguments, where no object of another meaning may stand.
  if (!whole || call.name.empty() || rules.strict_keys) co_return JsonCall::none;
  begin(reply, call);
  reply.out.arguments("{}");
  co_return JsonCall::whole;
}

}  // namespace drystone::reply

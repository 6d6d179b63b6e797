#include <array>

#include "serve/toolcall/reply_context.h"

// The formats that write each call as one JSON object: Hermes, Llama 3, and Mistral's array.
namespace drystone::reply {
namespace {

constexpr std::array<std::string_view, 1> kHermesMarks = {"<tool_call>"};
constexpr std::array<std::string_view, 1> kLlamaMarks = {"<|python_tag|>"};
constexpr std::array<std::string_view, 3> kInterpreters = {"code_interpreter", "python", "ipython"};

// Calls one after the other, with white space or any of `separators` between them.
Parse<bool> read_json_calls(ReplyContext& reply, JsonCallRules rules, std::string_view separators) {
  bool found = false;
  while (true) {
    const std::optional<char> next = co_await peek_solid(reply.in);
    if (next != '{') break;
    const JsonCall call = co_await read_json_call(reply, rules);
    if (call == JsonCall::none) break;
    found = true;
    reply.in.hold();
    if (call == JsonCall::broken) break;
    const std::optional<char> separator = co_await peek_solid(reply.in);
    if (separator && separators.find(*separator) != separators.npos) reply.in.consume(1);
  }
  if (found) reply.in.rewind();  // behind the last call
  co_return found;
}

// {...} {...} </tool_call>; the closing tag may be missing.
Parse<bool> read_hermes(ReplyContext& reply, std::size_t, bool known_only) {
  const bool found = co_await read_json_calls(reply, {.known_only = known_only}, "");
  if (found) co_await spaced_literal(reply.in, "</tool_call>");
  co_return found;
}

// name.call(key="value", ...), as the template writes calls to the tools that the model was trained
// with.
Parse<bool> read_builtin_call(ReplyContext& reply) {
  ReplyReader& in = reply.in;
  co_await peek_solid(in);
  const std::optional<std::string> name = co_await name_until(in, ".", " \n\"(){}<");
  if (!name || !reply.tools.knows(*name)) co_return false;
  const bool open = co_await literal(in, ".call(");
  if (!open) co_return false;
  std::string arguments = "{";
  while (true) {
    const bool closed = co_await spaced_literal(in, ")");
    if (closed) break;
    if (arguments.size() > 1) {
      const bool comma = co_await spaced_literal(in, ",");
      if (!comma) co_return false;
    }
    co_await peek_solid(in);
    const std::optional<std::string> key = co_await name_until(in, "=", " \n\"(),");
    if (!key) co_return false;
    in.consume(1);
    const std::optional<std::string> value = co_await json_value(in, kHeldBytesMax);
    if (!value) co_return false;
    arguments += (arguments.size() > 1 ? ", \"" : "\"") + json_escaped(*key) + "\": " + *value;
  }
  in.release();
  reply.out.begin_call(*name, "");
  reply.out.arguments(arguments + "}");
  co_return true;
}

// Behind <|python_tag|>: a call as JSON, a call to a built-in tool, or code for an interpreter.
Parse<bool> read_llama(ReplyContext& reply, std::size_t, bool) {
  const bool found = co_await read_json_calls(reply, {.known_only = true}, ";,");
  if (found || reply.in.cut_off()) co_return found;
  reply.in.rewind();
  reply.in.hold();
  const bool builtin = co_await read_builtin_call(reply);
  if (builtin) co_return true;
  reply.in.rewind();
  reply.in.hold();
  for (const std::string_view interpreter : kInterpreters) {
    if (!reply.tools.knows(interpreter)) continue;
    reply.in.release();
    reply.out.begin_call(interpreter, "");
    reply.out.arguments("{\"code\": \"");
    const TextSink code = [&](std::string_view text) { reply.out.arguments(json_escaped(text)); };
    co_await text_until(reply.in, {}, code);
    reply.out.arguments("\"}");
    co_return true;
  }
  co_return false;
}

}  // namespace

// A reply that begins with the JSON of a call to one of the tools is a call.
Parse<bool> read_bare_calls(ReplyContext& reply) {
  reply.in.hold();
  const bool found =
      co_await read_json_calls(reply, {.known_only = true, .strict_keys = true}, ";,");
  if (!found) reply.in.rewind();
  co_return found;
}

const CallSyntax kHermesCalls = {kHermesMarks, read_hermes};
const CallSyntax kLlamaCalls = {kLlamaMarks, read_llama};

}  // namespace drystone::reply

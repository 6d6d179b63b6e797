#pragma once

#include <boost/json.hpp>
#include <functional>
#include <span>
#include <string_view>

#include "serve/toolcall/parse.h"
#include "serve/toolcall/part_writer.h"
#include "serve/toolcall/read_text.h"
#include "serve/toolcall/reply_format.h"
#include "serve/toolcall/reply_reader.h"
#include "serve/toolcall/tool_schemas.h"

namespace drystone::reply {

// What the parsers of one reply share.
struct ReplyContext {
  ReplyFormat format;
  ToolSchemas tools;
  bool reasoning_open;
  PartWriter out;
  ReplyReader in;
  bool in_reasoning = false;  // between the marks of reasoning
};

// The whole reply, with the calls of the format wherever they may stand.
Parse<Done> read_reply(ReplyContext& reply);
Parse<Done> read_harmony(ReplyContext& reply);

// Calls in the midst of a text. A parser of calls stands behind one of the marks of its format. It
// tells whether it found a call; if so, it has consumed the calls and what closes them, else the
// caller rewinds to the mark. It releases the caller's hold with the first call.
//   known_only  a call to a tool that the request does not have is none (the place is doubtful)
struct CallSyntax {
  std::span<const std::string_view> marks;
  Parse<bool> (*read)(ReplyContext& reply, std::size_t mark, bool known_only);
};
// Null: the format has none.
const CallSyntax* call_syntax(ToolFormat format);

extern const CallSyntax kHermesCalls, kLlamaCalls, kMistralCalls, kDeepseekCalls, kKimiCalls,
    kQwenCoderCalls, kGlmCalls, kMinimaxCalls;

// {"name": ..., "arguments": {...}} in any order, "parameters" for "arguments".
enum class JsonCall {
  none,    // no call; the hold is still there
  whole,   // a call, read to its end
  broken,  // a call whose end could not be read; what follows it is text
};
struct JsonCallRules {
  bool known_only = false;   // as above
  bool strict_keys = false;  // only the keys that calls have
};
Parse<JsonCall> read_json_call(ReplyContext& reply, JsonCallRules rules);

// Calls one after the other, each read by `read_one` behind `open`; before the first one `open` is
// read already if `begun`. `close` behind the last one may be missing. Whether there was a call.
using ReadOneCall = std::function<Parse<JsonCall>()>;
Parse<bool> read_call_list(ReplyContext& reply, std::string_view open, std::string_view close,
                           bool begun, const ReadOneCall& read_one);

// The first call in a reply that may begin with one without a mark (Llama 3).
Parse<bool> read_bare_calls(ReplyContext& reply);

}  // namespace drystone::reply

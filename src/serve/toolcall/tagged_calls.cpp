#include <array>
#include <string>

#include "serve/toolcall/reply_context.h"

// The formats that write arguments as tagged plain text, one by one: Qwen3-Coder, GLM, MiniMax M2.
namespace drystone::reply {
namespace {

struct CallTags {
  std::string_view call_open, name_close;            // around the name
  std::string_view key_open, key_close, value_open;  // around the key; before the value
  std::string_view value_close;
  std::string_view call_close;
  std::string_view block_close;  // behind the last call of a block
  bool values_on_lines;          // a line end on each side of a value belongs to the tags
};
constexpr CallTags kQwenCoder = {.call_open = "<function=",
                                 .name_close = ">",
                                 .key_open = "<parameter=",
                                 .key_close = ">",
                                 .value_open = "",
                                 .value_close = "</parameter>",
                                 .call_close = "</function>",
                                 .block_close = "</tool_call>",
                                 .values_on_lines = true};
constexpr CallTags kGlm = {.call_open = "",
                           .name_close = "",
                           .key_open = "<arg_key>",
                           .key_close = "</arg_key>",
                           .value_open = "<arg_value>",
                           .value_close = "</arg_value>",
                           .call_close = "</tool_call>",
                           .block_close = "",
                           .values_on_lines = false};
constexpr CallTags kMinimax = {.call_open = "<invoke name=\"",
                               .name_close = "\">",
                               .key_open = "<parameter name=\"",
                               .key_close = "\">",
                               .value_open = "",
                               .value_close = "</parameter>",
                               .call_close = "</invoke>",
                               .block_close = "</minimax:tool_call>",
                               .values_on_lines = false};
constexpr std::array<std::string_view, 2> kQwenCoderMarks = {"<tool_call>", "<function="};
constexpr std::array<std::string_view, 1> kGlmMarks = {"<tool_call>"};
constexpr std::array<std::string_view, 1> kMinimaxMarks = {"<minimax:tool_call>"};

// Whether a value may end here: what follows is another parameter, the end of the call or the
// end of the text. So a value may itself contain the closing tag.
Parse<bool> at_value_end(ReplyReader& in, const CallTags& tags) {
  const std::optional<char> next = co_await peek_solid(in);
  if (!next) co_return true;
  const bool another = co_await literal(in, tags.key_open);
  if (another) co_return true;
  const bool end = co_await literal(in, tags.call_close);
  if (end || tags.block_close.empty()) co_return end;
  const bool block_end = co_await literal(in, tags.block_close);
  co_return block_end;
}

// A value up to and with its closing tag, to `sink` as it comes. False: the text ended in it.
Parse<bool> read_value(ReplyReader& in, const CallTags& tags, const TextSink& sink) {
  const std::string with_line = "\n" + std::string(tags.value_close);
  const std::array<std::string_view, 2> marks = {tags.value_close, with_line};
  const std::span<const std::string_view> used(marks.data(), tags.values_on_lines ? 2 : 1);
  while (true) {
    const std::optional<std::size_t> mark = co_await text_until(in, used, sink);
    if (!mark) co_return false;
    in.hold();
    const bool end = co_await at_value_end(in, tags);
    in.rewind();
    if (end) co_return true;
    sink(used[*mark]);
  }
}

// One argument behind its key, as a member of the arguments.
Parse<bool> read_argument(ReplyContext& reply, const CallTags& tags, const std::string& tool,
                          const std::string& key) {
  if (tags.values_on_lines) co_await literal(reply.in, "\n");
  if (reply.tools.is_text(tool, key)) {
    reply.out.arguments("\"");
    const TextSink sink = [&](std::string_view text) { reply.out.arguments(json_escaped(text)); };
    const bool whole = co_await read_value(reply.in, tags, sink);
    if (whole) reply.out.arguments("\"");
    co_return whole;
  }
  std::string value;
  const TextSink sink = [&](std::string_view text) { value += text; };
  const bool whole = co_await read_value(reply.in, tags, sink);
  if (whole) reply.out.arguments(reply.tools.json_of(tool, key, value));
  co_return whole;
}

// The key of the next argument and the tags around it; fails where there is none.
Parse<std::optional<std::string>> read_key(ReplyReader& in, const CallTags& tags) {
  const bool open = co_await spaced_literal(in, tags.key_open);
  if (!open) co_return std::nullopt;
  const std::optional<std::string> key = co_await name_until(in, tags.key_close.substr(0, 1), "\n");
  if (!key) co_return std::nullopt;
  const bool closed = co_await literal(in, tags.key_close);
  if (!closed) co_return std::nullopt;
  if (tags.value_open.empty()) co_return key;
  const bool value = co_await spaced_literal(in, tags.value_open);
  if (!value) co_return std::nullopt;
  co_return key;
}

// Whether the block ends here, without a call_close. Consumes nothing.
Parse<bool> at_block_close(ReplyReader& in, const CallTags& tags) {
  if (tags.block_close.empty()) co_return false;
  in.hold();
  const bool closed = co_await spaced_literal(in, tags.block_close);
  in.rewind();
  co_return closed;
}

// The arguments up to and with call_close. False: what follows is not part of the call.
Parse<bool> read_arguments(ReplyContext& reply, const CallTags& tags, const std::string& tool) {
  ReplyReader& in = reply.in;
  reply.out.arguments("{");
  for (bool first = true;; first = false) {
    const bool close = co_await spaced_literal(in, tags.call_close);
    if (close) break;
    in.hold();
    const std::optional<std::string> key = co_await read_key(in, tags);
    if (!key) {
      in.rewind();
      const bool forgotten = co_await at_block_close(in, tags);
      if (!forgotten) co_return false;
      break;
    }
    in.release();
    reply.out.arguments((first ? "\"" : ", \"") + json_escaped(*key) + "\": ");
    const bool whole = co_await read_argument(reply, tags, tool, *key);
    if (!whole) co_return false;
  }
  reply.out.arguments("}");
  co_return true;
}

// Name and arguments, behind call_open.
Parse<JsonCall> read_tagged_call(ReplyContext& reply, const CallTags& tags, bool known_only) {
  ReplyReader& in = reply.in;
  const std::optional<std::string> name = co_await name_until(in, "\">", "<{}\n ");
  if (!name) co_return JsonCall::none;
  const bool closed = co_await literal(in, tags.name_close);
  if (!closed || (known_only && !reply.tools.knows(*name))) co_return JsonCall::none;
  in.release();
  reply.out.begin_call(*name, "");
  const bool whole = co_await read_arguments(reply, tags, *name);
  co_return whole ? JsonCall::whole : JsonCall::broken;
}

// The calls of a block; the caller has read the first call_open if `begun`.
Parse<bool> read_block(ReplyContext& reply, const CallTags& tags, bool begun, bool known_only) {
  const ReadOneCall one = [&] { return read_tagged_call(reply, tags, known_only); };
  const bool found = co_await read_call_list(reply, tags.call_open, tags.block_close, begun, one);
  co_return found;
}

Parse<bool> read_qwen_coder(ReplyContext& reply, std::size_t mark, bool known_only) {
  // Qwen3-Coder sometimes forgets <tool_call>; then only a tool of the request is believed.
  return read_block(reply, kQwenCoder, mark == 1, known_only || mark == 1);
}

Parse<bool> read_minimax(ReplyContext& reply, std::size_t, bool known_only) {
  return read_block(reply, kMinimax, false, known_only);
}

// NAME and its arguments, where nothing but what follows tells that this is a name.
Parse<bool> read_glm(ReplyContext& reply, std::size_t, bool known_only) {
  ReplyReader& in = reply.in;
  co_await peek_solid(in);
  const std::optional<std::string> name = co_await name_until(in, "< \t\r\n", "{}\"");
  if (!name || (known_only && !reply.tools.knows(*name))) co_return false;
  bool follows = co_await spaced_literal(in, kGlm.key_open);
  if (!follows) follows = co_await spaced_literal(in, kGlm.call_close);
  if (!follows) co_return false;
  in.rewind();
  co_await peek_solid(in);
  co_await name_until(in, "< \t\r\n", "");
  reply.out.begin_call(*name, "");
  co_await read_arguments(reply, kGlm, *name);
  co_return true;
}

}  // namespace

const CallSyntax kQwenCoderCalls = {kQwenCoderMarks, read_qwen_coder};
const CallSyntax kGlmCalls = {kGlmMarks, read_glm};
const CallSyntax kMinimaxCalls = {kMinimaxMarks, read_minimax};

}  // namespace drystone::reply
